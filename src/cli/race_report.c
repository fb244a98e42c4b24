/* race_report.c -- what a person or a program is told about a race.
 *
 * On stdout stands the result and nothing else: a block of text for each mode, or a line of JSON.
 * Complaints go to stderr. */
#include "race.h"

#include <inttypes.h>
#include <jansson.h>
#include <math.h>
#include <stdio.h>

/* ---- Judgement ------------------------------------------------------------ */

int64_t race_oversold(const struct race_result *result)
{
    const struct race_proof *p = &result->proof;
    int64_t                  gone = p->stock_before - p->stock_after;

    return p->order_pieces > gone ? p->order_pieces - gone : 0;
}

bool race_invariant(const struct race_result *result)
{
    const struct race_proof *p = &result->proof;

    return p->order_pieces == p->stock_before - p->stock_after && p->unbalanced == 0 &&
           p->stray_rows == 0 && p->below_zero == 0 && p->stock_after >= 0 &&
           p->order_rows == result->bought && p->order_pieces == result->pieces_bought;
}

double race_group_size_mean(const struct race_result *result)
{
    return result->groups > 0 ? (double)result->members / (double)result->groups : 0;
}

static double per_second(const struct race_result *result)
{
    double answered = (double)(result->bought + result->refused);

    return result->seconds > 0 ? answered / result->seconds : 0;
}

/* ---- For a person --------------------------------------------------------- */

const char *race_dialect_name(enum corm_dialect dialect)
{
    switch (dialect) {
    case CORM_DIALECT_MARIADB: return "MariaDB";
    case CORM_DIALECT_MYSQL: return "MySQL";
    case CORM_DIALECT_SQLITE: return "SQLite";
    }
    return "a database";
}

static const char *plural(int64_t n)
{
    return n == 1 ? "" : "s";
}

void race_report_start(const struct race_options *options, enum corm_dialect dialect,
                       int connections)
{
    if (options->json)
        return;
    printf("%" PRId32 " buyer%s, %" PRId32 " purchase%s of ", options->buyers,
           plural(options->buyers), options->purchases, plural(options->purchases));
    if (options->qty_min == options->qty_max)
        printf("%" PRId32, options->qty_min);
    else
        printf("%" PRId32 " to %" PRId32, options->qty_min, options->qty_max);
    printf(" piece%s, %" PRId32 " product%s with %" PRId32 " in stock%s\n",
           plural(options->qty_max), options->products, plural(options->products), options->stock,
           options->products == 1 ? "" : " each");
    printf("%s, %d connection%s, seed %" PRIu64 "\n", race_dialect_name(dialect), connections,
           plural(connections), options->seed);
    fflush(stdout);
}

/* What exactly does not fit, a line each. */
static void print_breaks(const struct race_result *result)
{
    const struct race_proof *p = &result->proof;

    if (p->order_rows != result->bought)
        printf("    %" PRId64 " buyers were told \"bought\", but there are %" PRId64 " orders\n",
               result->bought, p->order_rows);
    if (result->unknown > 0)
        printf("    %" PRId64 " buyer%s told that nobody knows: their orders may be there or not\n",
               result->unknown, result->unknown == 1 ? " was" : "s were");
    if (p->order_pieces != result->pieces_bought)
        printf("    buyers were told of %" PRId64 " pieces, but %" PRId64 " are ordered\n",
               result->pieces_bought, p->order_pieces);
    if (p->unbalanced > 0)
        printf("    %" PRId64 " product%s out of balance; the first, with the id %" PRId32
               ", has %" PRId64 " left and %" PRId64 " ordered\n",
               p->unbalanced, p->unbalanced == 1 ? " is" : "s are", p->example_id, p->example_after,
               p->example_pieces);
    if (p->below_zero > 0)
        printf("    %" PRId64 " product%s a stock below zero\n", p->below_zero,
               p->below_zero == 1 ? " has" : "s have");
    if (p->stray_rows > 0)
        printf("    %" PRId64 " order%s of a product that does not exist\n", p->stray_rows,
               p->stray_rows == 1 ? " is" : "s are");
}

static void print_proof(const struct race_result *result)
{
    const struct race_proof *p = &result->proof;
    int64_t                  gone = p->stock_before - p->stock_after;
    int64_t                  oversold = race_oversold(result);

    if (oversold > 0)
        printf("  OVERSOLD by %" PRId64 " piece%s: that many were sold that the stock never gave\n",
               oversold, plural(oversold));
    printf("  proof: %" PRId64 " - %" PRId64 " = %" PRId64 " piece%s", p->stock_before,
           p->stock_after, gone, plural(gone));
    if (race_invariant(result)) {
        printf(" in %" PRId64 " order%s: holds\n", p->order_rows, plural(p->order_rows));
        return;
    }
    printf(", and %" PRId64 " in %" PRId64 " order%s: BROKEN%s\n", p->order_pieces, p->order_rows,
           plural(p->order_rows), result->mode->strict ? "" : ", as was to be expected");
    print_breaks(result);
}

static void print_trips(const struct race_options *options, enum corm_dialect dialect,
                        const struct race_result *result)
{
    if (dialect == CORM_DIALECT_SQLITE)
        printf("  round trips  none: SQLite runs in this process");
    else
        printf("  round trips  %.2f a purchase",
               (double)result->round_trips / (double)options->purchases);
    if (result->mode->strict)
        printf("; %" PRIu64 " attempt%s", result->attempts, result->attempts == 1 ? "" : "s");
    printf("\n");
}

static void print_block(const struct race_options *options, enum corm_dialect dialect,
                        const struct race_result *result)
{
    printf("\n%s: %s\n", result->mode->name, result->mode->about);
    printf("  stock        %" PRId64 " -> %" PRId64 "\n", result->proof.stock_before,
           result->proof.stock_after);
    printf("  bought       %" PRId64 ", together %" PRId64 " piece%s\n", result->bought,
           result->pieces_bought, plural(result->pieces_bought));
    printf("  refused      %" PRId64 "\n", result->refused);
    printf("  failed       %" PRId64 "\n", result->failed);
    printf("  speed        %.0f purchases per second, %.3f s\n", per_second(result),
           result->seconds);
    printf("  latency      p50 %.2f ms, p90 %.2f ms, p99 %.2f ms, at most %.2f ms\n",
           result->p50_ms, result->p90_ms, result->p99_ms, result->max_ms);
    if (result->groups > 0)
        printf("  groups       %" PRIu64 " transactions of the database, %.1f purchases in each\n",
               result->groups, race_group_size_mean(result));
    print_trips(options, dialect, result);
    race_nodes_report(options, result);
    print_proof(result);
}

/* ---- For a program -------------------------------------------------------- */

/* A number of at most `digits` decimals: 0.123457, not 0.12345678901234568. */
static double rounded(double x, int digits)
{
    double scale = pow(10, digits);

    return round(x * scale) / scale;
}

/* Puts a value into an object, whatever became of both; json_t is told to free it. */
static bool put(json_t *object, const char *name, json_t *value)
{
    return value != NULL && json_object_set_new(object, name, value) == 0;
}

static bool append(json_t *array, json_t *value)
{
    return value != NULL && json_array_append_new(array, value) == 0;
}

static bool add_numbers(const struct race_options *options, const struct race_result *result,
                        json_t *object)
{
    const struct race_proof *p = &result->proof;
    json_t                  *numbers =
        json_pack("{s:s, s:i, s:i, s:i, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:b,"
                  " s:f, s:f, s:f, s:f, s:I, s:I, s:f, s:f, s:f, s:I}",
                  "mode", result->mode->name,                                  //
                  "buyers", (int)options->buyers,                              //
                  "purchases", (int)options->purchases,                        //
                  "products", (int)options->products,                          //
                  "stock_before", (json_int_t)p->stock_before,                 //
                  "stock_after", (json_int_t)p->stock_after,                   //
                  "bought", (json_int_t)result->bought,                        //
                  "refused", (json_int_t)result->refused,                      //
                  "failed", (json_int_t)result->failed,                        //
                  "pieces_bought", (json_int_t)result->pieces_bought,          //
                  "order_rows", (json_int_t)p->order_rows,                     //
                  "order_pieces", (json_int_t)p->order_pieces,                 //
                  "oversold", (json_int_t)race_oversold(result),               //
                  "invariant", (int)race_invariant(result),                    //
                  "seconds", rounded(result->seconds, 6),                      //
                  "purchases_per_second", rounded(per_second(result), 3),      //
                  "p50_ms", rounded(result->p50_ms, 6),                        //
                  "p99_ms", rounded(result->p99_ms, 6),                        //
                  "round_trips", (json_int_t)result->round_trips,              //
                  "attempts", (json_int_t)result->attempts,                    //
                  "group_size_mean", rounded(race_group_size_mean(result), 3), //
                  "p90_ms", rounded(result->p90_ms, 6),                        //
                  "max_ms", rounded(result->max_ms, 6),                        //
                  "groups", (json_int_t)result->groups);
    bool done = numbers != NULL && json_object_update(object, numbers) == 0;

    json_decref(numbers);
    return done;
}

/* [[end of a bucket in ms, purchases in it], ...] */
static json_t *json_of_waits(const struct race_waits *waits)
{
    json_t *array = json_array();
    bool    done = array != NULL;

    for (int i = 0; i < RACE_WAIT_BUCKETS && done; i++)
        if (waits->counts[i] > 0)
            done = append(array,
                          json_pack("[f, I]", race_wait_limit_ms(i), (json_int_t)waits->counts[i]));
    if (done)
        return array;
    json_decref(array);
    return NULL;
}

/* [[most members, groups of so many and more than the one before], ...] */
static json_t *json_of_group_sizes(const struct corm_histogram *sizes)
{
    json_t *array = json_array();
    bool    done = array != NULL;

    for (int i = 0; i < CORM_BUCKETS && done; i++)
        if (sizes->buckets[i] > 0)
            done = append(array, json_pack("[I, I]", (json_int_t)sizes->bounds[i],
                                           (json_int_t)sizes->buckets[i]));
    if (done)
        return array;
    json_decref(array);
    return NULL;
}

static bool append_slice(json_t *columns[static 6], const struct race_slice *slice, uint64_t groups,
                         uint64_t members)
{
    return append(columns[0], json_integer((json_int_t)slice->bought)) &&
           append(columns[1], json_integer((json_int_t)slice->refused)) &&
           append(columns[2], json_integer((json_int_t)slice->failed)) &&
           append(columns[3], json_integer((json_int_t)slice->pieces)) &&
           append(columns[4], json_integer((json_int_t)groups)) &&
           append(columns[5], json_integer((json_int_t)members));
}

/* A list for each number, with what came to it in each slice. */
static bool add_slices(const struct race_timeline *timeline, json_t *object)
{
    static const char *const names[6] = {"bought", "refused", "failed",
                                         "pieces", "groups",  "members"};
    json_t                  *columns[6];
    uint64_t                 groups = 0, members = 0;
    bool done = put(object, "slice_ms", json_real((double)timeline->slice_ns / 1e6));

    for (int i = 0; i < 6 && done; i++) {
        columns[i] = json_array();
        done = put(object, names[i], columns[i]);
    }
    for (int i = 0; i < timeline->used && done; i++) {
        const struct race_slice *slice = &timeline->slices[i];
        uint64_t                 groups_now = slice->groups > groups ? slice->groups : groups;
        uint64_t                 members_now = slice->members > members ? slice->members : members;

        done = append_slice(columns, slice, groups_now - groups, members_now - members);
        groups = groups_now;
        members = members_now;
    }
    return done;
}

static json_t *json_of_timeline(const struct race_timeline *timeline)
{
    json_t *object = json_object();

    if (object != NULL && add_slices(timeline, object))
        return object;
    json_decref(object);
    return NULL;
}

/* [["CORM_DEADLOCK", 3], ...] */
static json_t *json_of_failures(const struct race_result *result)
{
    json_t *array = json_array();
    bool    done = array != NULL;

    for (int i = 0; i < result->failure_kinds && done; i++)
        done = append(array, json_pack("[s, I]", corm_code_name(result->failures[i].first.code),
                                       (json_int_t)result->failures[i].count));
    if (done && result->failed_otherwise > 0)
        done = append(array, json_pack("[s, I]", "other", (json_int_t)result->failed_otherwise));
    if (done)
        return array;
    json_decref(array);
    return NULL;
}

json_t *race_report_json(const struct race_options *options, const struct race_result *result)
{
    json_t *object = json_object();

    if (object != NULL && add_numbers(options, result, object) &&
        put(object, "failures", json_of_failures(result)) &&
        put(object, "waits", json_of_waits(&result->waits)) &&
        put(object, "timeline", json_of_timeline(&result->timeline)) &&
        put(object, "group_sizes", json_of_group_sizes(&result->group_sizes)))
        return object;
    json_decref(object);
    return NULL;
}

/* What only a cluster has. */
static void add_nodes(const struct race_options *options, const struct race_result *result,
                      json_t *object)
{
    const struct race_nodes *before = &result->nodes_before, *after = &result->nodes_after;
    json_t                  *sent = json_array();

    for (uint32_t i = 0; i < options->nodes && i < RACE_NODES; i++)
        (void)json_array_append_new(sent, json_integer(after->sent[i] - before->sent[i]));
    (void)json_object_set_new(object, "nodes", json_integer(options->nodes));
    (void)json_object_set_new(object, "random_nodes", json_boolean(options->random_nodes));
    (void)json_object_set_new(object, "write_sets", sent);
    (void)json_object_set_new(object, "conflicts", json_integer(after->refused - before->refused));
}

static void print_json(const struct race_options *options, const struct race_result *result)
{
    json_t *object = race_report_json(options, result);

    if (object == NULL) {
        fprintf(stderr, "corm race: out of memory; the line of JSON is missing\n");
        return;
    }
    if (result->nodes_after.is_cluster)
        add_nodes(options, result, object);
    (void)json_dumpf(object, stdout, JSON_PRESERVE_ORDER | JSON_REAL_PRECISION(15));
    printf("\n");
    json_decref(object);
}

void race_report_result(const struct race_options *options, enum corm_dialect dialect,
                        const struct race_result *result)
{
    if (options->json)
        print_json(options, result);
    else
        print_block(options, dialect, result);
    fflush(stdout);
}

/* ---- On stderr ------------------------------------------------------------ */

void race_report_failures(const struct race_result *result)
{
    for (int i = 0; i < result->failure_kinds; i++) {
        const struct race_failure *f = &result->failures[i];
        fprintf(stderr, "corm race: %s: %" PRId64 " purchase%s failed: %s: %s\n",
                result->mode->name, f->count, plural(f->count), corm_code_name(f->first.code),
                f->first.message);
    }
    if (result->failed_otherwise > 0)
        fprintf(stderr, "corm race: %s: %" PRId64 " more failed in other ways\n",
                result->mode->name, result->failed_otherwise);
}

void race_complain(const char *doing, const struct corm_error *error)
{
    fprintf(stderr, "corm race: %s: %s: %s\n", doing, corm_code_name(error->code), error->message);
}
