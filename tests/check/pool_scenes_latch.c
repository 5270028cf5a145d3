/*
 * Scenes of a latch alone. Compiled with the sources, broken ones, too: what
 * they call is in a header.
 */
#include "pool/latch.h"

#include "check/pool_scene.h"

/* What the latch guards, and nothing else does. */
static struct {
    struct reqctxi_latch latch;
    bool is_inside;
    unsigned count;
} guarded;

/* Others have the core while this one is inside: they find the latch taken,
 * whatever they do. */
static void *go_in_and_out(void *unused)
{
    reqctxi_latch_take(&guarded.latch);
    check_must(!guarded.is_inside);
    guarded.is_inside = true;
    unsigned before = guarded.count;
    sched_yield();
    guarded.count = before + 1;
    guarded.is_inside = false;
    reqctxi_latch_let_go(&guarded.latch);
    return unused;
}

static void begin(void)
{
    guarded = (__typeof__(guarded)){.count = 0};
    check_begin();
}

/* Two wait for it at once. */
static void a_latch_keeps_others_out(void)
{
    begin();
    pthread_t second = go(go_in_and_out);
    pthread_t third = go(go_in_and_out);
    go_in_and_out(NULL);
    join(second);
    join(third);
    check_must(guarded.count == 3);
}

/* Who lets it go is back before who waits. */
static void *go_in_twice(void *unused)
{
    go_in_and_out(unused);
    return go_in_and_out(unused);
}

static void a_latch_is_taken_again_at_once(void)
{
    begin();
    pthread_t other = go(go_in_and_out);
    go_in_twice(NULL);
    join(other);
    check_must(guarded.count == 3);
}

const struct check_scene pool_scenes_latch[] = {
    CHECK_SCENE(a_latch_keeps_others_out, .coarse = 2, .fine = 1),
    CHECK_SCENE(a_latch_is_taken_again_at_once, .coarse = 2, .fine = 2),
};

const size_t pool_scenes_latch_count =
    sizeof(pool_scenes_latch) / sizeof(pool_scenes_latch[0]);
