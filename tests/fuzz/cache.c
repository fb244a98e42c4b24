/* tests/fuzz/cache.c -- any run of statements, stale answers, full servers, resets and lost links
 * through one connection, beside a model of its cache of prepared statements.
 *
 * The model is a list of texts, the one used last in front. After each step:
 *   - what has run is the text that was asked for, prepared once, not given back, and not forgotten by
 *     the server;
 *   - a text that is in the list was not prepared again, one that is not was;
 *   - as many statements are prepared as the list holds, no more than it may, and at the end none.
 *
 * The driver is one of this file: what it is to answer stands in the bytes. */
#include "fuzz.h"

#include "base/clock.h"
#include "pool/connection.h"

#include <corm/corm.h>

const char *const fuzz_tokens[] = {
    "\x01\x02\x03\x04\x05\x06", "\xE0", "\xF0", "\xF8", "\x80\x01", NULL};

enum { TEXTS = 300, TEXT_SIZE = 16 };

/* ---- The driver --------------------------------------------------------------- */

struct corm__prepared {
    char                   text[TEXT_SIZE];
    bool                   given_back;
    unsigned               session; /* that prepared it: a reset begins another */
    struct corm__prepared *next;    /* of all that there ever were */
};

static struct server {
    struct corm__prepared *all;
    size_t                 alive; /* prepared, and not given back */
    size_t                 room;
    unsigned               session;
    int                    prepared; /* since the step began */
    int                    executed;
    char                   last[TEXT_SIZE];
    int                    stale, failing; /* the next executions */
} server;

static int fake_connect(const struct corm__endpoint *e, bool for_writing, int64_t deadline,
                        struct corm__link **out, struct corm_error *error)
{
    (void)for_writing, (void)deadline, (void)error;
    *out = calloc(1, sizeof(**out));
    CHECK(*out != NULL, "no memory");
    (*out)->driver = e->driver;
    (*out)->dialect = CORM_DIALECT_SQLITE;
    return 0;
}

static void fake_close(struct corm__link *link)
{
    CHECK(server.alive == 0, "%zu statements were not given back", server.alive);
    free(link);
}

static bool fake_is_alive(struct corm__link *link)
{
    return !link->lost;
}

static bool fake_begin_reset(struct corm__link *link)
{
    return !link->lost;
}

static int fake_end_reset(struct corm__link *link, int64_t deadline, struct corm_error *error)
{
    (void)link, (void)deadline, (void)error;
    server.session++;
    return 0;
}

static void fake_disown(struct corm__link *link)
{
    (void)link;
}

static int fake_enter(struct corm__link *link, const struct corm__mode *mode, int64_t deadline,
                      struct corm_error *error)
{
    (void)link, (void)mode, (void)deadline, (void)error;
    return 0;
}

static int fake_prepare(struct corm__link *link, const char *text, size_t size, int64_t deadline,
                        struct corm__prepared **out, struct corm_error *error)
{
    struct corm__prepared *p;

    (void)deadline;
    CHECK(!link->lost, "prepared on a link that is lost");
    if (server.alive >= server.room) {
        corm__fail(error, CORM_SERVER_ERROR, "no room");
        return CORM__STATEMENTS_FULL;
    }
    p = calloc(1, sizeof(*p));
    CHECK(p != NULL && size < TEXT_SIZE, "no memory");
    memcpy(p->text, text, size);
    p->session = server.session;
    p->next = server.all;
    server.all = p;
    server.alive++;
    server.prepared++;
    *out = p;
    return 0;
}

/* It stays in memory, so that who uses it later is found out. */
static void fake_finalize(struct corm__link *link, struct corm__prepared *p)
{
    (void)link;
    CHECK(!p->given_back, "%s was given back twice", p->text);
    p->given_back = true;
    server.alive--;
}

static int fake_execute(struct corm__link *link, struct corm__prepared *p,
                        const struct corm__statement *statement, struct corm__sink *sink,
                        int64_t deadline, struct corm__result *result, struct corm_error *error)
{
    (void)sink, (void)deadline, (void)result;
    CHECK(!link->lost, "sent on a link that is lost");
    CHECK(!p->given_back, "%s was given back", p->text);
    CHECK(p->session == server.session, "%s is of a session before", p->text);
    CHECK(strcmp(p->text, statement->text) == 0, "%s ran instead of %s", p->text, statement->text);
    if (server.stale > 0) {
        server.stale--;
        corm__fail(error, CORM_SERVER_ERROR, "stale");
        return CORM__STALE_STATEMENT;
    }
    server.executed++;
    (void)snprintf(server.last, sizeof(server.last), "%s", p->text);
    link->sent = true;
    if (server.failing > 0) {
        server.failing--;
        return corm__fail(error, CORM_DUPLICATE, "there already");
    }
    return 0;
}

static int fake_control(struct corm__link *link, const char *text, int64_t deadline,
                        struct corm_error *error)
{
    (void)link, (void)text, (void)deadline, (void)error;
    return 0;
}

static const struct corm__driver driver = {.name = "fake",
                                           .connect = fake_connect,
                                           .close = fake_close,
                                           .is_alive = fake_is_alive,
                                           .begin_reset = fake_begin_reset,
                                           .end_reset = fake_end_reset,
                                           .disown = fake_disown,
                                           .enter = fake_enter,
                                           .prepare = fake_prepare,
                                           .finalize = fake_finalize,
                                           .execute = fake_execute,
                                           .control = fake_control};

/* ---- The model -------------------------------------------------------------------- */

static struct model {
    int    texts[TEXTS]; /* the one used last in front */
    size_t count, most;
} model;

static void forget_at(size_t i)
{
    memmove(&model.texts[i], &model.texts[i + 1], (model.count - i - 1) * sizeof(int));
    model.count--;
}

static bool forget(int text)
{
    for (size_t i = 0; i < model.count; i++)
        if (model.texts[i] == text) {
            forget_at(i);
            return true;
        }
    return false;
}

static void put_in_front(int text)
{
    memmove(&model.texts[1], model.texts, model.count * sizeof(int));
    model.texts[0] = text;
    model.count++;
}

/* As the server has no room: half of them, or one, is all that is kept from now on. False: there is
 * nothing to give back. */
static bool model_makes_room(void)
{
    size_t keep = model.count / 2;

    model.most = keep > 0 ? keep : 1;
    if (model.count == 0)
        return false;
    model.count = keep;
    return true;
}

/* Whether there is room for one more. `beside`: prepared for once. */
static bool model_prepares(void)
{
    while (model.count >= server.room)
        if (!model_makes_room())
            return false;
    return true;
}

/* ---- Steps ---------------------------------------------------------------------------- */

static struct corm__statement statement_of(int text, char *buffer)
{
    struct corm__statement s = {.verb = CORM__WRITE, .text = buffer};

    s.size = (size_t)snprintf(buffer, TEXT_SIZE, "S%d", text);
    return s;
}

/* What should become of it: how often it is prepared, and the code. */
static int expect(int text, const struct corm__statement *s, int *prepared)
{
    int stale = server.stale;

    *prepared = 0;
    for (int tries = 0;; tries++) {
        bool known = !s->once && forget(text);
        if (!known) {
            if (!s->once && model.count >= model.most)
                model.count = model.most - 1;
            if (!model_prepares())
                return CORM_SERVER_ERROR;
            ++*prepared;
        }
        if (s->once) {
            return stale > 0 ? CORM_CONFLICT : 0;
        }
        if (stale == 0) {
            put_in_front(text);
            return 0;
        }
        stale--;
        if (s->compound)
            return CORM_CONFLICT;
        if (tries > 0)
            return CORM_SERVER_ERROR;
    }
}

static void run_statement(struct corm__connection *c, int text, unsigned how)
{
    char                   buffer[TEXT_SIZE];
    struct corm__statement s = statement_of(text, buffer);
    struct corm__run  run = {.statements = &s, .count = 1, .deadline = corm__deadline_in(60000)};
    struct corm_error error = {0};
    int               prepared, wanted;

    s.once = how % 8 == 1;
    s.compound = how % 8 == 2;
    server.stale = how / 8 % 8 < 5 ? 0 : (int)(how / 8 % 8) - 4; /* 1 to 3 */
    server.failing = how / 64 % 4 == 3;
    server.prepared = server.executed = 0;
    wanted = expect(text, &s, &prepared);
    if (wanted == 0 && server.failing)
        wanted = CORM_DUPLICATE;
    int rc = corm__connection_run(c, &run, &error);
    CHECK(rc == wanted && error.code == rc, "%s: %d (%s), not %d", s.text, rc, error.message,
          wanted);
    CHECK(server.prepared == prepared, "%s was prepared %d times, not %d", s.text, server.prepared,
          prepared);
    CHECK(server.executed == (rc == 0 || rc == CORM_DUPLICATE), "it ran %d times", server.executed);
    CHECK(server.executed == 0 || strcmp(server.last, s.text) == 0, "%s ran", server.last);
    server.stale = server.failing = 0;
}

static void reset(struct corm__connection *c)
{
    struct corm_error error = {0};

    c->dirty = true;
    CHECK(corm__connection_begin_reset(c), "no reset begins");
    CHECK(c->resetting && !c->dirty, "no reset is under way");
    CHECK(corm__connection_end_reset(c, corm__deadline_in(60000), &error) == 0, "%s",
          error.message);
    model.count = 0;
}

static struct corm__connection *open_one(void)
{
    static const struct corm__endpoint endpoint = {.driver = &driver};
    static struct corm__watch          watch;
    struct corm__connection           *c = NULL;
    struct corm_error                  error = {0};

    CHECK(corm__connection_open(&endpoint, true, &watch, corm__deadline_in(60000), &c, &error) == 0,
          "%s", error.message);
    return c;
}

static void step(struct corm__connection *c, struct bytes *b)
{
    unsigned what = take_byte(b), text = take_byte(b);

    if (what < 200) {
        run_statement(c, (int)text, take_byte(b));
    } else if (what < 220) { /* a run of new ones */
        for (unsigned i = 0; i < text % 160; i++)
            run_statement(c, (int)(text + i), 0);
    } else if (what < 232) {
        server.room = text == 0 ? 1000 : text % 140;
    } else if (what < 244) {
        reset(c);
    } else {
        corm__connection_shed(c);
        model.count = 0;
    }
    CHECK(c->cache.count == model.count, "%zu are kept, not %zu", c->cache.count, model.count);
    CHECK(server.alive == model.count, "%zu are prepared, not %zu", server.alive, model.count);
    CHECK(model.count <= CORM__CACHE_MAX, "%zu are kept", model.count);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct bytes             b = {data, size};
    struct corm__connection *c;

    memset(&server, 0, sizeof(server));
    memset(&model, 0, sizeof(model));
    server.room = 1000;
    model.most = CORM__CACHE_MAX;
    c = open_one();
    for (int steps = 0; steps < 400 && b.left > 0; steps++)
        step(c, &b);
    c->link->lost = size % 2 == 1; /* what is left is given back on a lost link, too */
    corm__connection_close(c);
    while (server.all != NULL) {
        struct corm__prepared *next = server.all->next;
        CHECK(server.all->given_back, "%s is left", server.all->text);
        free(server.all);
        server.all = next;
    }
    return 0;
}
