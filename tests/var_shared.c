#include "var_shared.h"

REQCTX_VAR_DEFINE(shared_int, int, 7);
REQCTX_VAR_DEFINE_NO_DEFAULT(shared_bare, double);
REQCTX_VAR_DEFINE_STRING(shared_text, "shared");
REQCTX_VAR_DEFINE_OF(shared_of, const char *, &reqctx_type_string, "of");
REQCTX_VAR_DEFINE_OF_NO_DEFAULT(shared_of_bare, struct shared_thing *,
                                &reqctx_type_object);

int shared_int_seen_there(void)
{
    return shared_int_get();
}

const char *shared_text_seen_there(void)
{
    return shared_text_get();
}

reqctx_status shared_int_set_there(int value, reqctx_token *out_token)
{
    return shared_int_set(value, out_token);
}
