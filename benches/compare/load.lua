-- wrk's side of a scenario: wrk … -s load.lua URL -- METHOD [FILE OF CONTENT]. Prints one line of JSON at the end.

function init(arguments)
  wrk.method = arguments[1]
  if arguments[2] then
    local file = assert(io.open(arguments[2], "rb"))
    wrk.body = file:read("*a")
    file:close()
  end
end

function done(summary, latency)
  local errors = summary.errors
  io.write(string.format(
    '\n{"requests": %d, "micros": %d, "bytes": %.0f, "p50_us": %d, "p99_us": %d,' ..
      ' "errors": {"connect": %d, "read": %d, "write": %d, "status": %d, "timeout": %d}}\n',
    summary.requests, summary.duration, summary.bytes, latency:percentile(50), latency:percentile(99),
    errors.connect, errors.read, errors.write, errors.status, errors.timeout))
end
