#include "pool/hand.h"

bool reqctxi_hand_init(struct reqctxi_hand *hand)
{
    *hand = (struct reqctxi_hand){.count = 0};
    return pthread_mutex_init(&hand->lock, NULL) == 0;
}

void reqctxi_hand_end(struct reqctxi_hand *hand)
{
    pthread_mutex_destroy(&hand->lock);
}

void reqctxi_hand_fill(struct reqctxi_hand *hand, struct reqctxi_job *jobs,
                       size_t count)
{
    pthread_mutex_lock(&hand->lock);
    hand->first = jobs;
    hand->count = count;
    hand->seen = NULL;
    pthread_mutex_unlock(&hand->lock);
}

/* With the lock held. */
static struct reqctxi_job *take(struct reqctxi_hand *hand)
{
    struct reqctxi_job *job = NULL;
    if (hand->count != 0) {
        job = hand->first;
        hand->first = job->next;
        hand->count--;
    }
    return job;
}

struct reqctxi_job *reqctxi_hand_take(struct reqctxi_hand *hand, bool only_seen)
{
    struct reqctxi_job *job = NULL;
    pthread_mutex_lock(&hand->lock);
    if (!only_seen || (hand->count != 0 && hand->seen == hand->first)) {
        job = take(hand);
    }
    hand->seen = hand->count != 0 ? hand->first : NULL;
    pthread_mutex_unlock(&hand->lock);
    return job;
}

struct reqctxi_job *reqctxi_hand_next(struct reqctxi_hand *hand,
                                      struct reqctxi_job *job,
                                      reqctx_drop_reason reason,
                                      bool left_entered, bool is_more)
{
    pthread_mutex_lock(&hand->lock);
    job->next = hand->ended;
    hand->ended = job;
    hand->ended_for[reason]++;
    hand->left_entered += left_entered;
    struct reqctxi_job *next = is_more ? take(hand) : NULL;
    pthread_mutex_unlock(&hand->lock);
    return next;
}
