/* route/url.h -- where the database is and how it is used, from a URL or from the environment.
 *
 * corm/db.h fixes the form of a URL and its options. Nothing is opened or looked up here. All texts
 * of a config live in the arena that it was made with.
 *
 * A message shows no byte of a URL but the name of an option, and no value of a variable: user and
 * password may stand anywhere in a text that is misspelt. */
#ifndef CORM_ROUTE_URL_H
#define CORM_ROUTE_URL_H

#include "route/lane.h"

#include <corm/arena.h>
#include <corm/error.h>
#include <stdbool.h>
#include <stdint.h>

struct corm__config_node {
    struct corm__endpoint endpoint;
    bool                  reader;
};

enum corm__guarding { CORM__GUARD_WHERE_NEEDED, CORM__GUARD_ON, CORM__GUARD_OFF };

struct corm__config {
    struct corm__endpoint     endpoint; /* that of the first node */
    struct corm__config_node *nodes;
    uint32_t                  node_count;
    uint32_t pool;       /* connections to a node at most, the writing one of SQLite's with it */
    uint32_t timeout_ms; /* also in endpoint */
    uint32_t resolve_ms;
    uint32_t lag_ms; /* of readers */
    struct corm__lane_options lanes;
    enum corm__guarding       guard;
    bool                      memory; /* sqlite::memory:, which has one connection */
    bool                      stats;  /* operations are timed */
};

/* Reads a URL, which is not NULL. 0, or CORM_BAD_URL or CORM_NO_MEMORY: *config is then all zero. */
int corm__parse_url(struct corm_arena *arena, const char *url, struct corm__config *config,
                    struct corm_error *error);

/* The same from DATABASE_URL or, where that is unset or empty, from the variables DB_*. Those are
 * taken as they are, without %XX; an empty one counts as unset. For SQLite only DB_DATABASE, its
 * file, and DB_CONNECTION_LIMIT count; DB_CLUSTER is refused. */
int corm__config_from_environment(struct corm_arena *arena, struct corm__config *config,
                                  struct corm_error *error);

/* The value of a variable, or NULL; as getenv(). */
typedef char *corm__getenv_function(const char *name);

/* corm__config_from_environment() with an environment of the caller's. */
int corm__config_from(struct corm_arena *arena, corm__getenv_function *get,
                      struct corm__config *config, struct corm_error *error);

#endif
