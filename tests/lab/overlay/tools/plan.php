<?php
// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
// HTTPS with PHP: plan.php streams|curl BASE [PROXY], steps "METHOD PATH BYTES MILLISECONDS" on standard input.
// Streams make a connection for every request; curl keeps one.
[, $how, $base] = $argv;
$curl = curl_init();
while ($line = fgets(STDIN)) {
    [$method, $path, $bytes, $ms] = explode(' ', trim($line));
    $body = $bytes ? random_bytes((int)$bytes) : '';
    if ($how === 'streams') {
        @file_get_contents($base . $path, false, stream_context_create(
            ['http' => ['method' => $method, 'content' => $body, 'timeout' => 15, 'protocol_version' => '1.1',
                        'header' => "Connection: close\r\nContent-Type: application/octet-stream"]]));
    } else {
        curl_setopt_array($curl, [CURLOPT_URL => $base . $path, CURLOPT_CUSTOMREQUEST => $method, CURLOPT_TIMEOUT => 15,
                                  CURLOPT_RETURNTRANSFER => true, CURLOPT_PROXY => $argv[3] ?? '']);
        curl_setopt($curl, CURLOPT_POSTFIELDS, $bytes ? $body : null);
        curl_exec($curl);
    }
    usleep(1000 * (int)$ms);
}
