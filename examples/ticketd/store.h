/*
 * The tickets.
 *
 * Whose tickets, which ticket and in which transaction: the store asks the
 * context. What it reads it gives as JSON, the form in which it leaves the
 * server.
 */
#ifndef TICKETD_STORE_H
#define TICKETD_STORE_H

#include <jansson.h>

enum store_result {
    STORE_OK,
    STORE_NO_TICKET, /* the tenant has no such ticket */
    STORE_CLOSED,    /* the ticket is closed already */
    STORE_FAILED     /* the database refused; the log says why */
};

/* The current ticket. */
enum store_result store_read(json_t **out_ticket);

/* The tenant's newest tickets, an array. */
enum store_result store_list(unsigned limit, json_t **out_tickets);

/* Opens a ticket, which becomes the current one. */
enum store_result store_create(const char *subject);

/*
 * Both write a comment first and then the ticket. If that shows that there is
 * no such ticket, or that it is closed, the comment is there nevertheless: it
 * goes when the transaction is rolled back.
 */
enum store_result store_comment(const char *text);
enum store_result store_close(void);

#endif
