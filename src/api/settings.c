/* api/settings.c -- what a URL comes to, without opening it. */
#include "api/db.h"
#include "pool/pool.h"
#include "route/url.h"

int corm_settings(struct corm_arena *arena, const char *url, struct corm_settings *settings,
                  struct corm_error *error)
{
    struct corm__config          config;
    const struct corm__endpoint *e = &config.endpoint;
    struct corm_error            own = {0};
    int                          rc = url != NULL ? corm__parse_url(arena, url, &config, &own)
                                                  : corm__config_from_environment(arena, &config, &own);

    *settings = (struct corm_settings){0};
    if (rc < 0) {
        if (error != NULL)
            *error = own;
        return rc;
    }
    settings->pool = config.pool;
    settings->timeout_ms = config.timeout_ms;
    settings->nodes = config.node_count;
    for (uint32_t i = 0; i < config.node_count; i++)
        settings->writers += !config.nodes[i].reader;
    if (!e->driver->has_trips) {
        settings->file = e->database;
        settings->is_local = true;
        return 0;
    }
    settings->max_age_s = e->max_age_s > 0 ? e->max_age_s : CORM__MAX_AGE_S;
    settings->is_local = settings->verifies_tls = true;
    for (uint32_t i = 0; i < config.node_count; i++) {
        const struct corm__endpoint *one = &config.nodes[i].endpoint;
        settings->is_local = settings->is_local && corm__is_local(one);
        settings->verifies_tls = settings->verifies_tls && corm__verifies_tls(one);
    }
    return 0;
}
