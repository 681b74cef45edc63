-- Asks for the paths of a file in turn.  wrk ... -s wrk_reads.lua URL -- FILE TOKEN
local paths, headers, at = {}, {}, 0

function init(args)
    for line in io.lines(args[1]) do
        paths[#paths + 1] = line
    end
    headers["Authorization"] = "Bearer " .. args[2]
    at = math.random(#paths)
end

function request()
    at = at % #paths + 1
    return wrk.format("GET", paths[at], headers)
end

local seen = 0
function response(status)
    if status ~= 200 and seen < 3 then
        seen = seen + 1
        io.stderr:write("status " .. status .. "\n")
    end
end
