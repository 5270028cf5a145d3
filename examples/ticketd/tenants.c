#include "tenants.h"

#include <string.h>

static char names[TENANTS_MAX][TENANT_SIZE];
static int name_count;

static bool is_name(const char *text, size_t size)
{
    static const char letters[] = "abcdefghijklmnopqrstuvwxyz";
    static const char others[] = "abcdefghijklmnopqrstuvwxyz0123456789";
    return size > 0 && size < TENANT_SIZE && strspn(text, letters) > 0 &&
           strspn(text, others) >= size;
}

bool tenants_set(const char *list)
{
    name_count = 0;
    for (;;) {
        size_t size = strcspn(list, ",");
        if (name_count == TENANTS_MAX || !is_name(list, size)) {
            return false;
        }
        memcpy(names[name_count], list, size);
        names[name_count][size] = '\0';
        if (tenants_find(names[name_count]) >= 0) {
            return false;
        }
        name_count++;
        if (list[size] == '\0') {
            return true;
        }
        list += size + 1;
    }
}

int tenants_count(void)
{
    return name_count;
}

const char *tenants_name(int index)
{
    return names[index];
}

int tenants_find(const char *name)
{
    for (int i = 0; i < name_count; i++) {
        if (strcmp(names[i], name) == 0) {
            return i;
        }
    }
    return -1;
}
