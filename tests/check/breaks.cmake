# Protocols, broken on purpose: the checker must notice (check_controls.c).
#
# reqctx_break(FILE OLD NEW): in a copy of FILE, NEW for OLD, which must be
# there. NEW asks check_is_broken("NAME") whether it is NAME's turn, and is
# OLD if not. A name may have several places.
macro(reqctx_break file old new)
  if(NOT DEFINED broken_${file})
    file(READ ${PROJECT_SOURCE_DIR}/${file} broken_${file})
    list(APPEND broken_files ${file})
    set_property(DIRECTORY APPEND PROPERTY CMAKE_CONFIGURE_DEPENDS
      ${PROJECT_SOURCE_DIR}/${file})
  endif()
  string(FIND "${broken_${file}}" "${old}" place)
  if(place EQUAL -1)
    message(FATAL_ERROR "tests/check/breaks.cmake: ${file} has no\n${old}")
  endif()
  string(REPLACE "${old}" "${new}" broken_${file} "${broken_${file}}")
endmacro()

# A worker stands in idle, looks, and leaves credit as it is.
reqctx_break(pool/state.c
[[        reqctxi_state_revoke(pool);
    }
    if (!has_job(pool))]]
[[        if (!check_is_broken("a_sleeper_leaves_credit")) {
            reqctxi_state_revoke(pool);
        }
    }
    if (!has_job(pool))]])

# What is in inboxes is gathered before the credit is taken away, not after.
reqctx_break(pool/credit.c
[[    for (unsigned lent = pool->inboxes_lent; lent != 0; lent &= lent - 1) {
        reqctxi_hand_end_credit(]]
[[    if (check_is_broken("a_sleeper_looks_too_early")) {
        reqctxi_state_gather(pool);
    }
    for (unsigned lent = pool->inboxes_lent; lent != 0; lent &= lent - 1) {
        reqctxi_hand_end_credit(]])
reqctx_break(pool/credit.c
[[    reqctxi_state_gather(pool);
    pool->inboxes_lent = 0;]]
[[    if (!check_is_broken("a_sleeper_looks_too_early")) {
        reqctxi_state_gather(pool);
    }
    pool->inboxes_lent = 0;]])

# Who runs a job may go on putting children into its hand unseen.
reqctx_break(pool/credit.c
[[    pool->inboxes_lent = 0;]]
[[    pool->inboxes_lent =
        check_is_broken("hands_keep_credit") ? pool->inboxes_lent : 0;]])
reqctx_break(pool/credit.c
[[        if (worker->has_hand) {
            reqctxi_hand_end_credit(]]
[[        if (worker->has_hand && !check_is_broken("hands_keep_credit")) {
            reqctxi_hand_end_credit(]])

# A hand that is put back may still be put into, and nobody looks there.
reqctx_break(pool/taking.c
[[        reqctxi_hand_end_credit(&worker->hand);]]
[[        if (!check_is_broken("put_back_leaves_credit")) {
            reqctxi_hand_end_credit(&worker->hand);
        }]])

# What another takes out of a hand is not counted as accepted.
reqctx_break(pool/hand.c
[[    *out_added = hand->added;
    hand->added = 0;]]
[[    *out_added = hand->added;
    hand->added = check_is_broken("a_thief_counts_twice") ? hand->added : 0;]])

# Who is called is not woken.
reqctx_break(pool/seat.c
[[    pthread_cond_signal(&seat->wake);]]
[[    if (!check_is_broken("a_call_wakes_nobody")) {
        pthread_cond_signal(&seat->wake);
    }]])

# Who was called does not call the next one.
reqctx_break(pool/taking.c
[[    reqctxi_state_call_idle(pool);
    reqctxi_state_admit(pool);
    reqctxi_state_note_water(pool);]]
[[    if (!check_is_broken("who_takes_calls_no_other")) {
        reqctxi_state_call_idle(pool);
    }
    reqctxi_state_admit(pool);
    reqctxi_state_note_water(pool);]])

# A drain leaves credit: jobs come when nobody looks any more.
reqctx_break(pool/state.c
[[        reqctxi_state_revoke(pool);
        reqctxi_state_call_attention(pool);]]
[[        if (!check_is_broken("a_drain_leaves_credit")) {
            reqctxi_state_revoke(pool);
        }
        reqctxi_state_call_attention(pool);]])

# A bounded pool's submitter sleeps while hands go on without a word.
reqctx_break(pool/room.c
[[        reqctxi_state_halt(pool);]]
[[        if (!check_is_broken("hands_are_not_halted")) {
            reqctxi_state_halt(pool);
        }]])

# Whether a job has begun is asked before the lock is taken.
reqctx_break(pool/future.c
[[    pthread_mutex_lock(&pool->lock);
    bool is_in_time = job->state < REQCTXI_TAKEN;
    if (is_in_time) {
        reqctxi_state_claim(]]
[[    bool was_in_time = job->state < REQCTXI_TAKEN;
    pthread_mutex_lock(&pool->lock);
    bool is_in_time = check_is_broken("a_cancel_asks_too_early")
                          ? was_in_time
                          : job->state < REQCTXI_TAKEN;
    if (is_in_time) {
        reqctxi_state_claim(]])

# The pool has no hold of a future: the waiter frees it under the worker.
reqctx_break(pool/submit.c
[[.holders = out_future != NULL ? 2 : 1,]]
[[.holders = out_future != NULL &&
                                      !check_is_broken("one_hold_for_two")
                                  ? 2
                                  : 1,]])

# Who waits for a job is not called at its end.
reqctx_break(pool/ending.c
[[    reqctxi_row_call_all(&future->waiters);]]
[[    if (!check_is_broken("a_waiter_is_forgotten")) {
        reqctxi_row_call_all(&future->waiters);
    }]])

# The timer sleeps, whatever has come up meanwhile.
reqctx_break(pool/timer.c
[[        if (!timer->is_wanted && delay_ns > 0) {]]
[[        if ((!timer->is_wanted || check_is_broken("the_timer_is_deaf")) &&
            delay_ns > 0) {]])

# A latch is found free, and then taken.
reqctx_break(pool/latch.h
[[    if (__builtin_expect(
            __atomic_exchange_n(&latch->is_taken, true, __ATOMIC_ACQUIRE), 0)) {
        reqctxi_latch_wait(latch);]]
[[    if (check_is_broken("a_latch_in_two_steps") &&
        !__atomic_load_n(&latch->is_taken, __ATOMIC_ACQUIRE)) {
        __atomic_store_n(&latch->is_taken, true, __ATOMIC_RELEASE);
    } else if (__atomic_exchange_n(&latch->is_taken, true, __ATOMIC_ACQUIRE)) {
        reqctxi_latch_wait(latch);]])

# So does who has waited for it.
reqctx_break(pool/latch.c
[[    } while (__atomic_exchange_n(&latch->is_taken, true, __ATOMIC_ACQUIRE));]]
[[        if (check_is_broken("a_waiter_just_takes_the_latch")) {
            __atomic_store_n(&latch->is_taken, true, __ATOMIC_RELEASE);
            return;
        }
    } while (__atomic_exchange_n(&latch->is_taken, true, __ATOMIC_ACQUIRE));]])

# A word that is free is seized in two steps.
reqctx_break(lib/stack.c
[[    uintptr_t found = IDLE;
    return __atomic_compare_exchange_n(]]
[[    uintptr_t found = IDLE;
    if (check_is_broken("two_seize_one_word") &&
        __atomic_load_n(word, __ATOMIC_ACQUIRE) == IDLE) {
        __atomic_store_n(word, state, __ATOMIC_RELEASE);
        return IDLE;
    }
    return __atomic_compare_exchange_n(]])

# A reference is left to a stack without a look whether it is still there.
reqctx_break(lib/stack.c
[[        if (__atomic_compare_exchange_n(&frame->state, &state, state | HOLDING,]]
[[        if (check_is_broken("a_reference_is_left_to_nobody")) {
            __atomic_store_n(&frame->state, state | HOLDING, __ATOMIC_RELEASE);
            return true;
        }
        if (__atomic_compare_exchange_n(&frame->state, &state, state | HOLDING,]])

# A leave looks for a reference, and then lets go: not at once.
reqctx_break(lib/stack.c
[[    } else if ((__atomic_exchange_n(]]
[[    } else if (check_is_broken("a_leave_looks_too_early")) {
        uintptr_t state = __atomic_load_n(&frame->state, __ATOMIC_ACQUIRE);
        release(&frame->state);
        if ((state & HOLDING) != 0) {
            reqctx_drop(reqctxi_context_of(frame));
        }
    } else if ((__atomic_exchange_n(]])

# A reader does not wait for another one.
reqctx_break(lib/stack.c
[[            found = IDLE;
            reqctxi_wait(&tries);]]
[[            if (check_is_broken("an_enter_does_not_wait_for_a_reader")) {
                __atomic_store_n(word, state, __ATOMIC_RELEASE);
                return IDLE;
            }
            found = IDLE;
            reqctxi_wait(&tries);]])

# A count is dropped in two steps.
reqctx_break(lib/ref.h
[[    uintptr_t before = __atomic_fetch_sub(count, 1, __ATOMIC_ACQ_REL);]]
[[    uintptr_t before = __atomic_load_n(count, __ATOMIC_ACQUIRE);
    if (check_is_broken("a_drop_in_two_steps")) {
        __atomic_store_n(count, before - 1, __ATOMIC_RELEASE);
    } else {
        before = __atomic_fetch_sub(count, 1, __ATOMIC_ACQ_REL);
    }]])

# Who takes a watcher back does not wait for its calls.
reqctx_break(lib/watch.c
[[    while (__atomic_load_n(&watcher->calls, __ATOMIC_SEQ_CST) > own_calls) {]]
[[    while (!check_is_broken("an_unwatch_does_not_wait") &&
           __atomic_load_n(&watcher->calls, __ATOMIC_SEQ_CST) > own_calls) {]])

# Who takes a callback back does not wait for it.
reqctx_break(lib/after.c
[[        if (note != NULL) {
            wait_for(note);]]
[[        if (note != NULL && !check_is_broken("a_take_back_does_not_wait")) {
            wait_for(note);]])

foreach(file ${broken_files})
  file(CONFIGURE OUTPUT ${CMAKE_CURRENT_BINARY_DIR}/broken/${file}
    CONTENT "${broken_${file}}" @ONLY)
endforeach()
