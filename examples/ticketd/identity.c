#include "identity.h"
#include "naive.h"

REQCTX_VAR_DEFINE_STRING(request_id, IDENTITY_NONE);
REQCTX_VAR_DEFINE_STRING(tenant, IDENTITY_NONE);
REQCTX_VAR_DEFINE_STRING(user, IDENTITY_NONE);
REQCTX_VAR_DEFINE_STRING(ticket, IDENTITY_NONE);

const struct identity_part identity_parts[IDENTITY_PARTS] = {
    {"request_id", "X-Request-Id", current_request_id},
    {"tenant", "X-Tenant", current_tenant},
    {"user", "X-User", current_user},
    {"ticket", "X-Ticket", current_ticket},
};

static bool put(reqctx_status (*set)(const char *text, reqctx_token *token),
                const char *text)
{
    return text[0] == '\0' || set(text, NULL) == REQCTX_OK;
}

static bool put_all(const struct identity *who)
{
    return put(request_id_set, who->request_id) &&
           put(tenant_set, who->tenant) && put(user_set, who->user) &&
           put(ticket_set, who->ticket);
}

reqctx_status identity_context(const struct identity *who, reqctx **out_context)
{
    reqctx *context;
    reqctx_status status = reqctx_new(&context);
    if (status != REQCTX_OK) {
        return status;
    }
    bool is_set = false;
    if (naive_is_on()) {
        naive_set(who);
        is_set = true;
    } else {
        REQCTX_IN(context) {
            is_set = put_all(who);
        }
    }
    if (!is_set) {
        reqctx_drop(context);
        return REQCTX_NOMEM;
    }
    *out_context = context;
    return REQCTX_OK;
}

const char *current_request_id(void)
{
    return naive_is_on() ? naive_get()->request_id : request_id_get();
}

const char *current_tenant(void)
{
    return naive_is_on() ? naive_get()->tenant : tenant_get();
}

const char *current_user(void)
{
    return naive_is_on() ? naive_get()->user : user_get();
}

const char *current_ticket(void)
{
    return naive_is_on() ? naive_get()->ticket : ticket_get();
}

reqctx_status identity_set_ticket(const char *id)
{
    if (naive_is_on()) {
        naive_set_ticket(id);
        return REQCTX_OK;
    }
    return ticket_set(id, NULL);
}
