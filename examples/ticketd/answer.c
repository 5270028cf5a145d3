#include "answer.h"

#include <reqctx/cancel.h>
#include <stdio.h>
#include <stdlib.h>

#define RETRY_AFTER_S 1

void answer_text(struct answer *answer, unsigned status, const char *type,
                 char *text)
{
    free(answer->body);
    answer->status = status;
    answer->location[0] = '\0';
    answer->retry_after_s = 0;
    answer->type = type;
    answer->body = text;
}

void answer_json(struct answer *answer, unsigned status, json_t *body)
{
    char *text = body != NULL ? json_dumps(body, JSON_COMPACT) : NULL;
    answer_text(answer, status, "application/json", text);
    json_decref(body);
}

void answer_error(struct answer *answer, unsigned status, const char *reason)
{
    answer_json(answer, status, json_pack("{s:s}", "error", reason));
}

void answer_later(struct answer *answer, const char *reason)
{
    answer_error(answer, 503, reason);
    answer->retry_after_s = RETRY_AFTER_S;
}

void answer_cut_short(struct answer *answer)
{
    const char *cause = reqctx_cancel_cause();
    if (reqctx_cancel_status() == REQCTX_CANCELLED) {
        answer_later(answer, cause != NULL ? cause : "cancelled");
    } else {
        answer_error(answer, 504, "the deadline has passed");
    }
}

static void copy(const char *text, char out_text[IDENTITY_SIZE])
{
    bool is_none = strcmp(text, IDENTITY_NONE) == 0;
    snprintf(out_text, IDENTITY_SIZE, "%s", is_none ? "" : text);
}

void answer_stamp(struct answer *answer)
{
    copy(current_request_id(), answer->seen.request_id);
    copy(current_tenant(), answer->seen.tenant);
    copy(current_user(), answer->seen.user);
    copy(current_ticket(), answer->seen.ticket);
}

void answer_free(struct answer *answer)
{
    free(answer->body);
    answer->body = NULL;
}
