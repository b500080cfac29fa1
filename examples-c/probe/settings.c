/* What the probe needs to know of a configuration: see settings.h. us3_client_from_file has checked the file before. */
#include "settings.h"
#include "mask.h"
#include "text.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

enum { DEFAULT_RESPONSE_TIMEOUT_MS = 60000 };

static char *read_file(const char *path)
{
    struct text text = {0};
    char chunk[4096];
    size_t len;
    FILE *file = fopen(path, "rb");

    if (file == NULL) {
        tell("%s: %s", path, strerror(errno));
        return NULL;
    }
    while ((len = fread(chunk, 1, sizeof chunk, file)) > 0)
        append(&text, chunk, len);
    fclose(file);
    return kept(&text);
}

static char *member(const char *json, const char *name)
{
    char *value = json_string(json, name, 1);

    return value == NULL || *value == '\0' ? NULL : value;
}

/* [http://|https://]host[:port][/] */
static void set_address(struct settings *settings, const char *address)
{
    const char *scheme_end = strstr(address, "://");
    const char *host = scheme_end == NULL ? address : scheme_end + 3;
    const char *port = host + strcspn(host, *host == '[' ? "]" : ":/");

    if (*port == ']')
        port++;
    settings->host = say_part(host, (size_t)(port - host));
    settings->port = *port == ':' ? say_part(port + 1, strcspn(port + 1, "/")) : "80";
    if (strncmp(address, "https:", 6) == 0 || strncmp(address, "HTTPS:", 6) == 0)
        settings->no_requests_by_hand = "over https";
}

struct settings *settings_read(const char *path)
{
    struct settings *settings = keep(sizeof *settings);
    const char *json = read_file(path), *endpoint, *env_proxy, *with_md5;
    long timeout = 0;

    if (json == NULL)
        return NULL;
    settings->public_key = member(json, "public_key");
    settings->private_key = member(json, "private_key");
    settings->security_token = member(json, "security_token");
    settings->bucket = member(json, "bucket_name");
    endpoint = member(json, "endpoint");
    settings->bucket_in_host = endpoint == NULL;
    if (endpoint == NULL)
        endpoint = member(json, "file_host");
    if (settings->public_key == NULL || settings->private_key == NULL || settings->bucket == NULL || endpoint == NULL) {
        tell("%s: the probe cannot read its members", path);
        return NULL;
    }
    set_address(settings, endpoint);
    env_proxy = json_member(json, "use_env_proxy", 1);
    if (member(json, "proxy") != NULL || (env_proxy != NULL && *env_proxy == 't'))
        settings->no_requests_by_hand = "through a proxy";
    with_md5 = json_member(json, "verify_upload_md5", 1);
    if (settings->no_requests_by_hand != NULL && with_md5 != NULL && *with_md5 == 't') {
        tell("%s: set verify_upload_md5 to false: %s the probe does not know how a request with Content-MD5 is signed, and could "
             "not keep its signature out of the report", path, settings->no_requests_by_hand);
        return NULL;
    }
    json_number(json, "response_timeout_ms", &timeout);
    settings->response_timeout_ms = timeout > 0 ? timeout : DEFAULT_RESPONSE_TIMEOUT_MS;
    hide(settings->private_key);
    hide(settings->public_key);
    if (settings->security_token != NULL)
        hide(settings->security_token);
    return settings;
}
