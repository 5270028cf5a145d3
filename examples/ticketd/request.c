#include "request.h"
#include "route.h"
#include "tenants.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/random.h>

#define LIMIT_DEFAULT 20
#define LIMIT_MAX 100
#define TICKET_DIGITS_MAX 18 /* fits into 64 bits */

static bool is_made_of(const char *text, const char *letters, size_t size_max)
{
    size_t size = strlen(text);
    return size > 0 && size <= size_max && strspn(text, letters) == size;
}

static bool is_word(const char *text)
{
    return is_made_of(text,
                      "abcdefghijklmnopqrstuvwxyz"
                      "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
                      "0123456789._-",
                      IDENTITY_SIZE - 1);
}

/* Unique among the requests of all runs: a random part and a number. Called
 * by the HTTP thread alone. */
static void make_request_id(char out_id[IDENTITY_SIZE])
{
    static unsigned run;
    static unsigned long number;
    if (number++ == 0 && getrandom(&run, sizeof(run), 0) < 0) {
        run = 0;
    }
    snprintf(out_id, IDENTITY_SIZE, "%08x-%lu", run, number);
}

static bool refuse(struct answer *answer, unsigned status, const char *reason)
{
    answer_error(answer, status, reason);
    return false;
}

static bool read_request_id(const char *text, struct identity *who,
                            struct answer *answer)
{
    if (text == NULL) {
        make_request_id(who->request_id);
        return true;
    }
    if (!is_word(text)) {
        make_request_id(who->request_id);
        return refuse(answer, 400, "X-Request-Id is not a word");
    }
    memcpy(who->request_id, text, strlen(text) + 1);
    return true;
}

static bool read_route(const struct heading *heading, struct request *request,
                       struct identity *who, struct answer *answer)
{
    if (strlen(heading->path) > REQUEST_PATH_MAX) {
        return refuse(answer, 414, "the path is longer than 255 bytes");
    }
    request->route =
        route_find(heading->method, heading->path, who, answer->allow);
    if (request->route != NULL) {
        return true;
    }
    who->tenant[0] = '\0';
    who->ticket[0] = '\0';
    return answer->allow[0] != '\0'
               ? refuse(answer, 405, "not a method of this resource")
               : refuse(answer, 404, "no such resource");
}

/* What is not valid does not stay in who: it would be logged and sent back. */
static bool read_who(const char *user_text, struct identity *who,
                     struct answer *answer)
{
    if (tenants_find(who->tenant) < 0) {
        who->tenant[0] = '\0';
        who->ticket[0] = '\0';
        return refuse(answer, 404, "no such tenant");
    }
    if (who->ticket[0] != '\0' &&
        !is_made_of(who->ticket, "0123456789", TICKET_DIGITS_MAX)) {
        who->ticket[0] = '\0';
        return refuse(answer, 400, "a ticket is a number");
    }
    if (user_text == NULL) {
        return refuse(answer, 400, "X-User is missing");
    }
    if (!is_word(user_text)) {
        return refuse(answer, 400, "X-User is not a word");
    }
    memcpy(who->user, user_text, strlen(user_text) + 1);
    return true;
}

static bool read_limit(const char *text, struct request *request,
                       struct answer *answer)
{
    request->limit = LIMIT_DEFAULT;
    if (text == NULL) {
        return true;
    }
    unsigned long limit = strtoul(text, NULL, 10);
    if (!is_made_of(text, "0123456789", 3) || limit < 1 || limit > LIMIT_MAX) {
        return refuse(answer, 400, "limit is a number from 1 to 100");
    }
    request->limit = (unsigned)limit;
    return true;
}

static bool read_deadline(const char *text, struct request *request,
                          struct answer *answer)
{
    if (text == NULL) {
        return true;
    }
    unsigned long time_ms = strtoul(text, NULL, 10);
    if (!is_made_of(text, "0123456789", 7) || time_ms < 1 ||
        time_ms > REQUEST_DEADLINE_MAX_MS) {
        return refuse(answer, 400,
                      "X-Deadline-Ms is a number from 1 to 3600000");
    }
    request->deadline_ms = (unsigned)time_ms;
    return true;
}

static bool read_size(const char *text, struct answer *answer)
{
    if (text != NULL && strtoull(text, NULL, 10) > REQUEST_BODY_MAX) {
        return refuse(answer, 413, REQUEST_TOO_LARGE);
    }
    return true;
}

bool request_read(const struct heading *heading, struct request *out_request,
                  struct identity *out_who, struct answer *out_answer)
{
    return read_request_id(heading->request_id, out_who, out_answer) &&
           read_route(heading, out_request, out_who, out_answer) &&
           (out_request->route->is_inline ||
            (read_who(heading->user, out_who, out_answer) &&
             read_limit(heading->limit, out_request, out_answer) &&
             read_deadline(heading->deadline_ms, out_request, out_answer))) &&
           read_size(heading->content_length, out_answer);
}

static bool read_text(const struct route *route, struct request *request,
                      struct answer *answer)
{
    const json_t *text = json_object_get(request->body, route->text_key);
    size_t size = json_string_length(text);
    char reason[64];
    if (size > 0 && size <= route->text_max) {
        request->text = json_string_value(text);
        return true;
    }
    snprintf(reason, sizeof(reason), "%s must be a text of 1 to %zu bytes",
             route->text_key, route->text_max);
    return refuse(answer, 400, reason);
}

bool request_read_body(struct request *request, const char *bytes, size_t size,
                       struct answer *out_answer)
{
    json_error_t error;
    char reason[64];
    if (request->route->text_key == NULL) {
        return true;
    }
    request->body = json_loadb(bytes, size, JSON_REJECT_DUPLICATES, &error);
    if (request->body == NULL) {
        snprintf(reason, sizeof(reason), "not JSON: line %d, column %d",
                 error.line, error.column);
        return refuse(out_answer, 400, reason);
    }
    return read_text(request->route, request, out_answer);
}

void request_free(struct request *request)
{
    json_decref(request->body);
    request->body = NULL;
}
