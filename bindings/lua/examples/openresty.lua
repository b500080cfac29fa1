-- An upload in OpenResty: the handler starts it and sleeps between looks, so that the worker serves other
-- requests meanwhile. No light thread ever blocks the worker.
--
--   http {
--       lua_package_path "/path/to/bindings/lua/?.lua;/path/to/bindings/lua/examples/?.lua;;";
--       init_worker_by_lua_block { require("openresty").init_worker("/etc/us3.json") }
--       server {
--           location /store {
--               client_body_in_file_only clean;
--               content_by_lua_block { require("openresty").content() }
--           }
--       }
--   }
--
-- A client does not survive the fork between nginx's master and its workers: make it in init_worker, one
-- for each worker, never in init_by_lua. To use US3_LIBRARY, say "env US3_LIBRARY;" in nginx.conf, because nginx
-- clears the environment.

local us3 = require("us3")

local example = {}
local client

-- Between the first looks, for small files; then up to LONGEST seconds.
local SHORTEST, LONGEST = 0.002, 0.1
local CALLBACK_URL = os.getenv("CALLBACK_URL") or "http://127.0.0.1:8000/uploaded"

function example.init_worker(config)
    client = assert(us3.client_from_file(config))
end

-- What became of the task, waiting in the manner of `sleep`, which is ngx.sleep.
function example.wait(task, sleep)
    local pause = SHORTEST
    while not task:done() do
        sleep(pause)
        pause = math.min(2 * pause, LONGEST)
    end
    return task:result()
end

-- Uploads a file with a callback; returns a result, or nil and an error.
function example.store(path, key, sleep)
    local policy, err = us3.build_policy(CALLBACK_URL, '{"key":"$(x:key)"}', "application/json", { ["x:key"] = key })
    if not policy then
        return nil, err
    end
    local task
    task, err = client:start({ file_path = path, key = key, policy_json = policy, timeout_ms = 60000 })
    if not task then
        return nil, err
    end
    return example.wait(task, sleep)
end

function example.content()
    local ngx = ngx
    ngx.req.read_body()
    local path = ngx.req.get_body_file()
    if not path then
        return ngx.exit(ngx.HTTP_BAD_REQUEST)
    end
    local result, err = example.store(path, ngx.var.arg_key or "uploaded", ngx.sleep)
    if result then
        ngx.header.content_type = "application/json"
        return ngx.print(result.body)
    end
    ngx.log(ngx.ERR, tostring(err))
    -- US3_CALLBACK_FAILED: it is stored all the same, and uploading again would store it twice.
    ngx.status = err.object_state == "STORED" and ngx.HTTP_ACCEPTED or ngx.HTTP_BAD_GATEWAY
    ngx.say(err.name)
end

return example
