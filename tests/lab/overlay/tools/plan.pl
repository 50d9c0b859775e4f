# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
# HTTPS with LWP: plan.pl BASE, steps "METHOD PATH BYTES MILLISECONDS" on standard input, on kept connections.
use strict;
use LWP::UserAgent;
use Time::HiRes 'sleep';
my $ua = LWP::UserAgent->new(keep_alive => 2, timeout => 15);
while (<STDIN>) {
    my ($method, $path, $bytes, $ms) = split;
    my $r = HTTP::Request->new($method, $ARGV[0] . $path);
    $r->content(join '', map { chr rand 256 } 1 .. $bytes) if $bytes;
    print $ua->request($r)->code, "\n";
    sleep $ms / 1000;
}
