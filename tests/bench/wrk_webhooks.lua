-- Posts each signed event of a file once.  Each line: signature, tab, body.
-- wrk -t1 ... -s wrk_webhooks.lua URL -- FILE
local events, at = {}, 0

function init(args)
    for line in io.lines(args[1]) do
        local signature, body = line:match("^(%S+)\t(.*)$")
        events[#events + 1] = wrk.format("POST", "/webhooks/easypost", {
            ["Content-Type"] = "application/json",
            ["X-Hmac-Signature"] = signature,
        }, body)
    end
end

function request()
    at = at + 1
    if at > #events then
        io.stderr:write("out of new events: give more\n")
        at = 1
    end
    return events[at]
end
