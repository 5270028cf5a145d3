#include "route.h"
#include "handlers.h"

static const struct route routes[] = {
    {.method = "GET",
     .pattern = "/healthz",
     .handle = handle_health,
     .is_inline = true},
    {.method = "GET",
     .pattern = "/stats",
     .handle = handle_stats,
     .is_inline = true},
    {.method = "GET",
     .pattern = "/metrics",
     .handle = handle_metrics,
     .is_inline = true},
    {.method = "GET",
     .pattern = "/jobs",
     .handle = handle_jobs,
     .is_inline = true},
    {.method = "GET",
     .pattern = "/tenants/{tenant}/tickets",
     .handle = handle_list},
    {.method = "POST",
     .pattern = "/tenants/{tenant}/tickets",
     .handle = handle_create,
     .text_key = "subject",
     .text_max = 200,
     .writes = true},
    {.method = "GET",
     .pattern = "/tenants/{tenant}/tickets/{ticket}",
     .handle = handle_read},
    {.method = "POST",
     .pattern = "/tenants/{tenant}/tickets/{ticket}/comments",
     .handle = handle_comment,
     .text_key = "text",
     .text_max = 4000,
     .writes = true},
    {.method = "POST",
     .pattern = "/tenants/{tenant}/tickets/{ticket}/close",
     .handle = handle_close,
     .writes = true},
};

#define ROUTES (sizeof(routes) / sizeof(routes[0]))

/* Where the part of path that stands for a {word} ends. */
static const char *take(const char *path, char out_text[IDENTITY_SIZE])
{
    size_t size = strcspn(path, "/");
    size_t kept = size < IDENTITY_SIZE ? size : IDENTITY_SIZE - 1;
    memcpy(out_text, path, kept);
    out_text[kept] = '\0';
    return path + size;
}

static bool match(const char *pattern, const char *path,
                  struct identity *out_who)
{
    while (*pattern != '\0') {
        if (*pattern == '{') {
            bool is_tenant = strncmp(pattern, "{tenant}", 8) == 0;
            char *text = is_tenant ? out_who->tenant : out_who->ticket;
            path = take(path, text);
            if (text[0] == '\0') {
                return false;
            }
            pattern = strchr(pattern, '}') + 1;
        } else if (*pattern++ != *path++) {
            return false;
        }
    }
    return *path == '\0';
}

static void allow(const char *method, char out_allow[ANSWER_ALLOW_SIZE])
{
    if (out_allow[0] != '\0') {
        strcat(out_allow, ", ");
    }
    strcat(out_allow, strcmp(method, "GET") == 0 ? "GET, HEAD" : method);
}

const struct route *route_find(const char *method, const char *path,
                               struct identity *out_who,
                               char out_allow[ANSWER_ALLOW_SIZE])
{
    const char *wanted = strcmp(method, "HEAD") == 0 ? "GET" : method;
    struct identity who = *out_who;
    out_allow[0] = '\0';
    for (size_t i = 0; i < ROUTES; i++) {
        struct identity matched = who;
        if (!match(routes[i].pattern, path, &matched)) {
            continue;
        }
        *out_who = matched;
        if (strcmp(routes[i].method, wanted) == 0) {
            out_allow[0] = '\0';
            return &routes[i];
        }
        allow(routes[i].method, out_allow);
    }
    return NULL;
}
