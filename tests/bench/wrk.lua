-- Sends the requests of a file in turn: method, path, signature, body, with tabs
-- between.  wrk -t1 ... -s wrk.lua URL -- FILE TOKEN FRESH RATE
-- FRESH 1: past nginx's cache, and not into it.  RATE above 0: so many a second, by a schedule.
local ffi = require("ffi")
ffi.cdef [[
    struct moment { long seconds; long nanoseconds; };
    int clock_gettime(int clock, struct moment *moment);
]]
local moment = ffi.new("struct moment")
local requests, at, due, gap = {}, 0, 0, 0

local function now()
    ffi.C.clock_gettime(1, moment) -- CLOCK_MONOTONIC
    return tonumber(moment.seconds) + tonumber(moment.nanoseconds) / 1e9
end

function init(args)
    for line in io.lines(args[1]) do
        local method, path, extra, body =
            line:match("^([^\t]*)\t([^\t]*)\t([^\t]*)\t(.*)$")
        local headers = { ["Authorization"] = "Bearer " .. args[2] }
        if args[3] == "1" then
            headers["Cache-Control"] = "no-store"
        end
        if method ~= "GET" then
            headers["Content-Type"] = "application/json"
            headers["X-Hmac-Signature"] = extra
        elseif extra ~= "" then
            headers["If-None-Match"] = extra
        end
        requests[#requests + 1] = wrk.format(method, path, headers,
            method ~= "GET" and body or nil)
    end
    gap = tonumber(args[4]) > 0 and 1 / tonumber(args[4]) or 0
    due = now()
    if gap == 0 then
        delay = nil
    end
end

function request()
    at = at % #requests + 1
    return requests[at]
end

function delay()
    due = due + gap
    return math.max(0, math.floor((due - now()) * 1000))
end
