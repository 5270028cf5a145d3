/*
 * The tenants: a fixed list, given when the server starts. A name is lower
 * case letters and digits, at most 32, beginning with a letter: safe as a
 * part of a table's name, which SQL cannot take as a parameter.
 */
#ifndef TICKETD_TENANTS_H
#define TICKETD_TENANTS_H

#include <stdbool.h>

#define TENANTS_MAX 16
#define TENANT_SIZE 33

/* Takes a list like "north,south"; false if it is not one. Before any thread
 * is started. */
bool tenants_set(const char *list);

int tenants_count(void);
const char *tenants_name(int index);

/* The number of a tenant, or -1 if there is none of that name. */
int tenants_find(const char *name);

#endif
