-- Posts pictures in turn, and writes what came of it as a line of JSON. Its arguments: their content type, and files.
local posts, at = {}, 0

function init(arguments)
  local headers = { ["Content-Type"] = arguments[1] }
  for number = 2, #arguments do
    local file = assert(io.open(arguments[number], "rb"))
    posts[#posts + 1] = wrk.format("POST", nil, headers, file:read("*a"))
    file:close()
  end
end

function request()
  at = at % #posts + 1
  return posts[at]
end

function done(summary, latency)
  local errors = summary.errors
  local failed = errors.connect + errors.read + errors.write + errors.status + errors.timeout
  io.write(string.format(
    '{"a_second": %.1f, "p50_ms": %.3f, "p99_ms": %.3f, "requests": %d, "failed": %d}\n',
    1e6 * summary.requests / summary.duration, latency:percentile(50) / 1000, latency:percentile(99) / 1000,
    summary.requests, failed
  ))
end
