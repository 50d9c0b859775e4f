# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
# HTTPS with net/http: plan.rb BASE, steps "METHOD PATH BYTES MILLISECONDS" on standard input, on one kept connection.
require 'net/http'
base = URI(ARGV[0])
Net::HTTP.start(base.host, base.port, use_ssl: true, read_timeout: 15) do |http|
  STDIN.each_line do |line|
    method, path, bytes, ms = line.split
    request = Net::HTTPGenericRequest.new(method, bytes != '0', true, path)
    request.body = Random.bytes(bytes.to_i) if bytes != '0'
    puts http.request(request).code
    sleep ms.to_i / 1000.0
  end
end
