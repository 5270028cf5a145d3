/*
 * Who a request is for: its id, its tenant, its user, its ticket.
 *
 * They are context variables. Handlers, the store and the log take none of
 * them as parameters; they ask here, on whichever thread they run, and are
 * told about the request that they work on.
 *
 * Used by everyone but main, options and the database. Knows nothing of HTTP.
 */
#ifndef TICKETD_IDENTITY_H
#define TICKETD_IDENTITY_H

#include <reqctx.h>

#define IDENTITY_SIZE 65  /* of each text, the closing 0 included */
#define IDENTITY_NONE "-" /* what a request has none of, in the log */

REQCTX_VAR_DECLARE_STRING(request_id);
REQCTX_VAR_DECLARE_STRING(tenant);
REQCTX_VAR_DECLARE_STRING(user);
REQCTX_VAR_DECLARE_STRING(ticket);

/* The four as plain text, for those who read them off a request. */
struct identity {
    char request_id[IDENTITY_SIZE];
    char tenant[IDENTITY_SIZE];
    char user[IDENTITY_SIZE];
    char ticket[IDENTITY_SIZE];
};

/*
 * A new context in which the texts of who that are not empty are set.
 *
 * Errors: REQCTX_NOMEM.
 */
reqctx_status identity_context(const struct identity *who,
                               reqctx **out_context);

/* What the current request is for, or IDENTITY_NONE. Borrowed until the
 * next question on this thread. */
const char *current_request_id(void);
const char *current_tenant(void);
const char *current_user(void);
const char *current_ticket(void);

/* From now on the current request is about this ticket: one that it made. */
reqctx_status identity_set_ticket(const char *id);

/* All four, for those who show them: their names in the log and in answers. */
struct identity_part {
    const char *key;
    const char *header;
    const char *(*current)(void);
};

#define IDENTITY_PARTS 4
extern const struct identity_part identity_parts[IDENTITY_PARTS];

#endif
