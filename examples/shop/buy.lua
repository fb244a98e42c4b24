-- buy.lua -- for wrk: orders, each with a number of its own.
--
--     wrk -t2 -c128 -d10 -s buy.lua http://127.0.0.1:8080/buy -- 1        1: the product
--
-- All orders of a thread are as long as each other, so the head of the request is made once.
local thread, threads, sent = 0, 0, 0

function setup(t)
    t:set("thread", threads)
    threads = threads + 1
end

function init(args)
    math.randomseed(os.time() * 64 + thread)
    local form = string.format("product=%s&pieces=1&buyer=%d&order=%08x-%04x-4%03x-a%03x-", args[1] or "1", thread + 1,
        math.random(0, 0x7fffffff), math.random(0, 0xffff), math.random(0, 0xfff), math.random(0, 0xfff))
    request_but_count = wrk.format("POST", nil, {["Content-Type"] = "application/x-www-form-urlencoded"},
        form .. string.rep("0", 12)):sub(1, -13)
end

function request()
    sent = sent + 1
    return request_but_count .. string.format("%012x", sent)
end
