/*
 * Four tenants, each with a table of its own, and three programs that read
 * them: one tenant after the other; all at once, with the current table in a
 * plain global; all at once, with it in a context variable. The second one
 * shows every tenant the rows of tenant D.
 *
 *     examples/run tenants            half a second between two rows
 *     examples/run tenants 0          no waiting
 *
 * The tasks start, and finish, in the order A, B, C, D, and in the last two
 * programs all start before one reads: the same is printed every time.
 */
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <reqctx.h>
#include <sqlite3.h>

#define TENANTS 4
#define ROWS 3

static sqlite3 *database; /* one for all; SQLite guards it */
static double pause_s = 0.5;

/* ---- where the current table is kept ------------------------------------ */

struct place {
    void (*set)(const char *table);
    const char *(*get)(void);
};

/* Written by one task at a time and read when nobody writes: the mix-up is
 * no data race, and no lock would cure it. */
static char global_table[8];

static void global_set(const char *table)
{
    snprintf(global_table, sizeof(global_table), "%s", table);
}

static const char *global_get(void)
{
    return global_table;
}

REQCTX_VAR_STRING(current_table, "");

/* Out of memory, the table is "", which does not exist: nobody's rows. There
 * is no reset, because the context ends with the task's thread. */
static void context_set(const char *table)
{
    current_table_set(table, NULL);
}

static const struct place in_global = {global_set, global_get};
static const struct place in_context = {context_set, current_table_get};

/* ---- whose turn it is ---------------------------------------------------- */

static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t turn_ended = PTHREAD_COND_INITIALIZER;
static int turn; /* guarded by mutex */

static void wait_for_turn(int number)
{
    pthread_mutex_lock(&mutex);
    while (turn < number) {
        pthread_cond_wait(&turn_ended, &mutex);
    }
    pthread_mutex_unlock(&mutex);
}

static void end_turn(void)
{
    pthread_mutex_lock(&mutex);
    turn++;
    pthread_cond_broadcast(&turn_ended);
    pthread_mutex_unlock(&mutex);
}

/* ---- a task -------------------------------------------------------------- */

struct task {
    const struct place *place;
    char table[8];
    int start_turn; /* then it reads as soon as read_turn has come */
    int read_turn;
    int finish_turn;
};

static void rest(void)
{
    struct timespec time = {.tv_sec = (time_t)pause_s};
    time.tv_nsec = (long)((pause_s - (double)time.tv_sec) * 1e9);
    nanosleep(&time, NULL);
}

/* A name out of the current table, which nobody tells this function. */
static void read_name(const struct place *place, int id, char *out_name,
                      size_t size)
{
    sqlite3_stmt *statement = NULL;
    char *sql = sqlite3_mprintf("SELECT name FROM \"%w\" WHERE id = %d",
                                place->get(), id);

    if (sql != NULL &&
        sqlite3_prepare_v2(database, sql, -1, &statement, NULL) == SQLITE_OK &&
        sqlite3_step(statement) == SQLITE_ROW) {
        snprintf(out_name, size, "%s",
                 (const char *)sqlite3_column_text(statement, 0));
    }
    sqlite3_finalize(statement);
    sqlite3_free(sql);
}

static void *run_task(void *arg)
{
    const struct task *task = arg;
    const struct place *place = task->place;
    char tenant = task->table[sizeof("Users_") - 1];
    char names[ROWS][8] = {""};

    wait_for_turn(task->start_turn);
    place->set(task->table);
    printf("  %c starts reading %s\n", tenant, place->get());
    end_turn();

    wait_for_turn(task->read_turn);
    for (int i = 0; i < ROWS; i++) {
        rest();
        read_name(place, i + 1, names[i], sizeof(names[i]));
    }

    wait_for_turn(task->finish_turn);
    printf("  %c finishes reading %s: %s, %s, %s\n", tenant, place->get(),
           names[0], names[1], names[2]);
    end_turn();
    return NULL;
}

/* ---- the three programs -------------------------------------------------- */

static void make_tasks(const struct place *place, bool at_once,
                       struct task *out_tasks)
{
    turn = 0; /* no task runs now */
    for (int i = 0; i < TENANTS; i++) {
        out_tasks[i] = (struct task){
            .place = place,
            .start_turn = at_once ? i : 2 * i,
            .read_turn = at_once ? TENANTS : 2 * i + 1,
            .finish_turn = at_once ? TENANTS + i : 2 * i + 1,
        };
        snprintf(out_tasks[i].table, sizeof(out_tasks[i].table), "Users_%c",
                 'A' + i);
    }
}

static void one_after_the_other(void)
{
    struct task tasks[TENANTS];

    make_tasks(&in_global, false, tasks);
    for (int i = 0; i < TENANTS; i++) {
        run_task(&tasks[i]);
    }
}

static void all_at_once(const struct place *place)
{
    struct task tasks[TENANTS];
    pthread_t threads[TENANTS];

    make_tasks(place, true, tasks);
    for (int i = 0; i < TENANTS; i++) {
        if (pthread_create(&threads[i], NULL, run_task, &tasks[i]) != 0) {
            perror("pthread_create");
            exit(1);
        }
    }
    for (int i = 0; i < TENANTS; i++) {
        pthread_join(threads[i], NULL);
    }
}

/* Users_A has a1, a2, a3, Users_B has b1 and so on. */
static bool make_tables(void)
{
    static const char sql[] =
        "CREATE TABLE Users_%c (id INTEGER PRIMARY KEY, name TEXT);"
        "INSERT INTO Users_%c (name) VALUES ('%c1'), ('%c2'), ('%c3')";
    const int flags = SQLITE_OPEN_READWRITE | SQLITE_OPEN_FULLMUTEX;
    bool is_made =
        sqlite3_open_v2(":memory:", &database, flags, NULL) == SQLITE_OK;

    for (int i = 0; i < TENANTS && is_made; i++) {
        int upper = 'A' + i;
        int lower = 'a' + i;
        char text[sizeof(sql)];
        snprintf(text, sizeof(text), sql, upper, upper, lower, lower, lower);
        is_made = sqlite3_exec(database, text, NULL, NULL, NULL) == SQLITE_OK;
    }
    return is_made;
}

int main(int argc, char **argv)
{
    if (argc > 1) {
        pause_s = atof(argv[1]);
    }
    setvbuf(stdout, NULL, _IOLBF, 0);
    if (!make_tables()) {
        fprintf(stderr, "%s\n", sqlite3_errmsg(database));
        sqlite3_close(database);
        return 1;
    }
    printf("one after the other, in a global\n");
    one_after_the_other();
    printf("all at once, in a global\n");
    all_at_once(&in_global);
    printf("all at once, in a context variable\n");
    all_at_once(&in_context);
    sqlite3_close(database);
    return 0;
}
