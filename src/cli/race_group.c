/* race_group.c -- the buyers of a mode that submits: one thread, and as many purchases under way as
 * there are buyers.
 *
 *     free ──── corm_submit() ───► under way ──── told() ───► free
 *
 * A buyer is one purchase at a time, so what he wants lives in his place until he is told. The thread
 * submits for all who are free, waits until corm_fd() is readable, and has corm_dispatch() call told():
 * so does an event loop. */
#include "race_tally.h"

#include "scratch.h"

#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

struct place {
    struct race     *race;
    struct race_want want;
    int32_t          index; /* of the purchase */
    int64_t          submitted_ns;
    struct place    *next; /* while free */
};

struct race {
    struct race_tally *tally;
    const int32_t     *ids;
    struct place      *free;
    int32_t            next; /* purchase */
    int32_t            under_way;
    bool               watched; /* by a person */
    bool               shown;   /* progress */
    int64_t            shown_ns;
};

static void end_purchase(struct place *place, int rc, const struct corm_error *error)
{
    struct race *race = place->race;

    race_tally_add(race->tally, place->index, race_now_ns() - place->submitted_ns, place->want.qty,
                   rc, error);
    place->next = race->free;
    race->free = place;
}

/* A corm_done_function: corm_dispatch() calls it in the thread that submits. */
static void told(int rc, const struct corm_error *error, void *arg)
{
    struct place *place = (struct place *)((char *)arg - offsetof(struct place, want));

    place->race->under_way--;
    end_purchase(place, rc, error);
}

/* Submits the next purchase for a buyer who is free. Returns whether there was room for it. */
static bool submit(struct race *race)
{
    struct race_tally *tally = race->tally;
    struct place      *place = race->free;
    struct corm_error  error = {0};
    int64_t            rc;

    place->index = race->next;
    place->want = race_want_of(tally->options, place->index);
    place->want.product_id = race->ids[place->want.product_id];
    place->submitted_ns = race_now_ns();
    rc = corm_submit(tally->db, tally->mode->submit, &place->want,
                     .key = corm_eq(product.id, place->want.product_id), .done = told,
                     .node = race_node_of(tally->options, place->index), .nowait = true,
                     .error = &error);
    if (rc == CORM_BUSY && race->under_way > 0)
        return false; /* lane_queue= of the URL is less than the buyers */
    race->next++;
    race->free = place->next;
    if (rc >= 0)
        race->under_way++;
    else
        end_purchase(place, (int)rc, &error);
    return true;
}

/* Sleeps until somebody can be told, or progress is due. */
static void wait_for_outcomes(const struct race *race)
{
    struct pollfd ready = {.fd = corm_fd(race->tally->db), .events = POLLIN};

    if (ready.fd >= 0)
        (void)poll(&ready, 1, RACE_PROGRESS_MS);
    else
        (void)usleep(1000); /* no descriptor is left in this process */
}

/* Shows progress when it is due. */
static void show(struct race *race)
{
    int64_t now_ns = race_now_ns();

    if (!race->watched || now_ns - race->shown_ns < RACE_PROGRESS_MS * INT64_C(1000000))
        return;
    race_tally_show(race->tally);
    race->shown_ns = now_ns;
    race->shown = true;
}

static void buy_all(struct race *race)
{
    int32_t purchases = race->tally->options->purchases;

    for (;;) {
        bool more = race->next < purchases && interrupt_signal() == 0;
        while (more && race->free != NULL && race->next < purchases)
            more = submit(race);
        if (race->under_way == 0 && (race->next == purchases || interrupt_signal() != 0))
            return;
        if (race->under_way > 0 && corm_dispatch(race->tally->db) == 0)
            wait_for_outcomes(race);
        show(race);
    }
}

int race_by_submitting(struct race_tally *tally, const int32_t *ids)
{
    int32_t       buyers = tally->options->buyers;
    struct race   race = {.tally = tally, .ids = ids};
    struct place *places = calloc((size_t)buyers, sizeof *places);

    if (places == NULL) {
        fprintf(stderr, "corm race: out of memory; lower --buyers\n");
        return -1;
    }
    for (int32_t i = buyers; i-- > 0;) {
        places[i].race = &race;
        places[i].next = race.free;
        race.free = &places[i];
    }
    race.watched = race_progress_is_wanted(tally->options);
    race_tally_start(tally);
    race.shown_ns = tally->started_ns;
    buy_all(&race);
    race_tally_end(tally, race_now_ns());
    if (race.shown)
        race_progress_clear();
    free(places);
    return 0;
}
