#include "local.h"

static _Thread_local uint64_t local;

uint64_t local_get(void)
{
    return local;
}

void local_set(uint64_t value)
{
    local = value;
}
