/* driver/mariadb.c -- MariaDB and MySQL by MariaDB Connector/C.
 *
 * Every call that waits for the server is one of the library's non-blocking calls, driven by poll()
 * to the deadline (wait_for() below); when the deadline passes the socket is shut down, the library
 * is told that its wait has timed out, and the link is lost. What the library has no non-blocking call
 * for never waits at all, but for the handshake of TLS (wait_inside() below). Only the look-up of
 * a host's name can take longer.
 *
 * A session is pinned when it is opened (pin()): strict SQL, UTC, utf8mb4, no LOAD DATA LOCAL. A reset
 * (COM_RESET_CONNECTION) is asked for by begin_reset() and waited for by end_reset(), which pins again
 * and sees to what a reset leaves: the default database and the role.
 *
 * Transactions need no BEGIN: a session in transaction mode has autocommit off and the wanted
 * isolation level, so that the first statement begins one, in the binary protocol and with a count
 * of its own. Sessions keep the mode, and the pool hands out one that fits, so that a change of mode
 * (enter(), one trip) is rare.
 *
 * Rows: what the server sends as integers is fetched as 64 bits, floating point as double, everything
 * else as bytes; so a DATETIME arrives as text. A buffer that is too short is enlarged and the column
 * fetched again. */
#include "driver/driver.h"
#include "base/clock.h"
#include "driver/array.h"
#include "driver/mariadb_error.h"
#include "schema/dialect.h"
#include "schema/type.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <mysql.h>
#include <ma_pvio.h> /* wants mysql.h */
#include <mysqld_error.h>
#include <netdb.h>
#include <poll.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

enum { FIRST_TEXT = 256 };

struct mariadb_link {
    struct corm__link   base;
    MYSQL              *mysql;
    char                server_isolation[32];   /* as "REPEATABLE-READ" */
    bool                has_snapshot_isolation; /* innodb_snapshot_isolation, from 10.6.18 */
    bool                has_arrays;             /* the bulk protocol of MariaDB */
    bool                is_connected;
    const char         *database; /* of the endpoint */
    bool                tells_position;
    bool                is_galera; /* what it is linked to is a node of such a cluster */
    char                last_gtid[sizeof(((struct corm__link *)0)->gtid)]; /* that was told */
    uint32_t            lock_wait_s;
    char                home[72]; /* database and role of the session when it was opened, hashed */
    int                 reset_rc, reset_wants; /* of a reset that was begun */
    bool                is_open; /* and was set up: what is refused now is a statement */
    bool                timed_out;
    bool                given_up; /* its node is silent */
    const _Atomic bool *silent;   /* of the endpoint */
    PVIO_METHODS        methods;  /* of the socket, with a deadline */
    int64_t             deadline; /* of the call that is under way */
    size_t              late;     /* bytes that it has read since then */
    const PVIO_METHODS *own;      /* the library's */
#ifdef CORM_ROWS_HAVE_LENGTHS
    struct st_mariadb_methods        calls; /* of the protocol, with a look at rows */
    const struct st_mariadb_methods *own_calls;
#endif
    bool greeted;                 /* the first packet was looked at */
    void (*meanwhile)(void *arg); /* of an array that is sent, or NULL */
    void         *meanwhile_arg;
    unsigned char head[7]; /* of an answer: the head of its packet, and how many columns it has */
    size_t        head_size;
    bool          wants_head;
    bool          talks_nonsense;
};

/* One column of a result: where the library puts its value. */
struct cell {
    long long            whole;
    double               real;
    char                *text;
    unsigned long        capacity, length;
    my_bool              is_null, is_cut;
    enum corm_value_kind kind;
};

struct corm__prepared {
    MYSQL_STMT        *statement;
    MYSQL_BIND        *params;
    unsigned long      param_count;
    MYSQL_BIND        *columns;
    struct cell       *cells;
    struct corm_value *values;
    const char       **names; /* room for them; they live while a result set is described */
    unsigned int       column_count, column_capacity;
    bool               grown; /* a buffer is larger than what the library is bound to */
    const struct corm_table
        *bound; /* the types that the columns are bound as; NULL: none, or raw */
    const struct corm_table *types; /* of the rows that are being read; NULL: raw */
};

static struct mariadb_link *mariadb(struct corm__link *link)
{
    return (struct mariadb_link *)link;
}

/* ---- Waiting -------------------------------------------------------------- */

/* When it has connected, the library makes the socket a blocking one, and from then on reads with a
 * flag against that, which its TLS does not have: there a read would block for ever. It does not look
 * again at what the socket is. */
static void stop_blocking(my_socket socket)
{
    int flags = fcntl(socket, F_GETFL);

    if (flags >= 0 && (flags & O_NONBLOCK) == 0)
        (void)fcntl(socket, F_SETFL, flags | O_NONBLOCK);
}

/* Called while the library connects, whenever it waits. The greeting may be there when it reads it
 * first: then nobody is asked to wait in front of the handshake, which blocks for this long. */
static void block_shortly(my_socket socket)
{
    struct timeval shortly = {.tv_usec = 5000};

    stop_blocking(socket);
    (void)setsockopt(socket, SOL_SOCKET, SO_RCVTIMEO, &shortly, sizeof(shortly));
    (void)setsockopt(socket, SOL_SOCKET, SO_SNDTIMEO, &shortly, sizeof(shortly));
}

/* Gives up. The library's TLS does not look at the time-out: it reads again, and has to find the end. */
static int time_out(struct mariadb_link *link, my_socket socket)
{
    link->timed_out = true;
    (void)shutdown(socket, SHUT_RDWR);
    return MYSQL_WAIT_TIMEOUT;
}

/* Polls until the deadline, or until the node is known to be silent and has been for CORM__SILENT_MS. 1,
 * or 0 where nothing has come. */
static int poll_node(struct mariadb_link *link, struct pollfd *p, int64_t deadline)
{
    for (;;) {
        int left = corm__ms_left(deadline);
        int slice = link->silent != NULL && left > CORM__SILENT_MS ? CORM__SILENT_MS : left;
        int n = poll(p, 1, slice);
        if (n > 0)
            return 1;
        if (n < 0 && errno == EINTR)
            continue;
        link->given_up = n == 0 && slice < left && atomic_load(link->silent);
        if (n < 0 || slice == left || link->given_up)
            return 0;
    }
}

/* Who connects in this thread, and until when; NULL: nobody. The library calls wait_inside() without an argument of
 * ours. */
static _Thread_local struct {
    struct mariadb_link *link;
    int64_t              deadline;
} connecting;

/* What the library calls where it waits by itself: in the handshake of TLS, while it connects; when
 * it says farewell to a server that takes no more, which is not worth a wait. 0 gives up. */
static int wait_inside(my_socket socket, my_bool is_read, int timeout)
{
    struct pollfd p = {.fd = socket, .events = is_read ? POLLIN : POLLOUT};

    (void)timeout;
    stop_blocking(socket);
    return connecting.link != NULL ? poll_node(connecting.link, &p, connecting.deadline)
                                   : poll(&p, 1, 0) > 0;
}

/* The library does not survive a first packet that is a report of progress: it asks for the version of a
 * server that it does not know yet. So the packet is looked at before it reads: 0, or
 * MYSQL_WAIT_TIMEOUT, with which it gives up. */
static int look_at_greeting(struct mariadb_link *link, my_socket socket, int64_t deadline)
{
    enum { HEAD = 4, SIZE = HEAD + 3 };
    static const unsigned char progress[] = {0xFF, 0xFF, 0xFF}; /* a failure of code 65535 */
    unsigned char              packet[SIZE];
    struct pollfd              p = {.fd = socket, .events = POLLIN};
    int                        enough = SIZE, any = 1;

    link->greeted = true;
    (void)setsockopt(socket, SOL_SOCKET, SO_RCVLOWAT, &enough, sizeof(enough));
    int n = poll_node(link, &p, deadline);
    (void)setsockopt(socket, SOL_SOCKET, SO_RCVLOWAT, &any, sizeof(any));
    if (n == 0)
        return time_out(link, socket);
    ssize_t size = recv(socket, packet, sizeof(packet), MSG_PEEK | MSG_DONTWAIT);
    if (size < SIZE || memcmp(packet + HEAD, progress, sizeof(progress)) != 0)
        return 0;
    return MYSQL_WAIT_TIMEOUT;
}

/* Waits for what the library asked for; MYSQL_WAIT_TIMEOUT when the deadline passes first. */
static int wait_for(struct mariadb_link *link, int wanted, int64_t deadline)
{
    struct pollfd p = {.fd = mysql_get_socket(link->mysql)};
    int           got = 0;

    if (!link->is_connected)
        block_shortly(p.fd);
    if ((wanted & MYSQL_WAIT_READ) != 0)
        p.events |= POLLIN;
    if ((wanted & MYSQL_WAIT_WRITE) != 0)
        p.events |= POLLOUT;
    if ((wanted & MYSQL_WAIT_EXCEPT) != 0)
        p.events |= POLLPRI;
    if (poll_node(link, &p, deadline) == 0)
        return time_out(link, p.fd);
    if (!link->greeted && (p.revents & (POLLHUP | POLLERR)) == 0 &&
        look_at_greeting(link, p.fd, deadline) != 0)
        return MYSQL_WAIT_TIMEOUT;
    if ((p.revents & (POLLIN | POLLHUP | POLLERR)) != 0)
        got |= MYSQL_WAIT_READ;
    if ((p.revents & (POLLOUT | POLLERR)) != 0)
        got |= MYSQL_WAIT_WRITE;
    if ((p.revents & POLLPRI) != 0)
        got |= MYSQL_WAIT_EXCEPT;
    return (got & wanted) != 0 ? got & wanted : wanted;
}

/* Whether the library may read on. It waits only where nothing is there: a server that sends faster than
 * it is read would have it read for ever. What was sent in time may be read late, but not without end;
 * on a link that is lost nothing is. */
static bool may_read(struct mariadb_link *link)
{
    enum { LATE_MAX = 1 << 20 };

    if (link->base.lost)
        return false;
    if (link->late > LATE_MAX)
        (void)time_out(link, mysql_get_socket(link->mysql));
    return link->late <= LATE_MAX;
}

/* What an answer says of its columns; false where that cannot be: the library makes room for as many, and fills
 * it, before it reads on. */
static bool is_sensible(const unsigned char *head, size_t size)
{
    enum { HEAD = 4, COLUMNS_MAX = 4096 }; /* of MariaDB and MySQL, in any result */
    size_t length = head[0] | head[1] << 8 | head[2] << 16;

    if (size <= HEAD || length == 0)
        return true;
    if (head[HEAD] == 0xFC)
        return length > 2 &&
               (size < HEAD + 3 || (head[HEAD + 1] | head[HEAD + 2] << 8) <= COLUMNS_MAX);
    return head[HEAD] != 0xFD && head[HEAD] != 0xFE;
}

/* Bytes of an answer as they come, from the first. */
static void look_at_head(struct mariadb_link *link, const unsigned char *bytes, size_t size)
{
    size_t n = sizeof(link->head) - link->head_size;

    n = n < size ? n : size;
    memcpy(link->head + link->head_size, bytes, n);
    link->head_size += n;
    link->wants_head = link->head_size < sizeof(link->head);
    if (is_sensible(link->head, link->head_size))
        return;
    link->talks_nonsense = link->base.lost = true;
    (void)shutdown(mysql_get_socket(link->mysql), SHUT_RDWR);
}

/* Where an answer begins with what is read next. Some of it may be here: results come behind each other.
 * Inside TLS nobody sees more. */
static void expect_head(struct mariadb_link *link)
{
    const MARIADB_PVIO *pvio = link->mysql->net.pvio;

    link->head_size = 0;
    link->wants_head = pvio != NULL;
    if (link->wants_head && pvio->cache_pos < pvio->cache + pvio->cache_size)
        look_at_head(link, pvio->cache_pos,
                     (size_t)(pvio->cache + pvio->cache_size - pvio->cache_pos));
}

static ssize_t note_read(struct mariadb_link *link, const unsigned char *bytes, ssize_t size)
{
    if (size > 0 && link->wants_head)
        look_at_head(link, bytes, (size_t)size);
    if (link->talks_nonsense)
        return 0;
    if (size > 0 && corm__ms_left(link->deadline) == 0)
        link->late += (size_t)size;
    return size;
}

static struct mariadb_link *link_of(const MARIADB_PVIO *pvio)
{
    return (struct mariadb_link *)((char *)pvio->methods - offsetof(struct mariadb_link, methods));
}

static ssize_t read_in_time(MARIADB_PVIO *pvio, uchar *buffer, size_t length)
{
    struct mariadb_link *link = link_of(pvio);

    return may_read(link) ? note_read(link, buffer, link->own->read(pvio, buffer, length)) : 0;
}

static ssize_t async_read_in_time(MARIADB_PVIO *pvio, uchar *buffer, size_t length)
{
    struct mariadb_link *link = link_of(pvio);

    return may_read(link) ? note_read(link, buffer, link->own->async_read(pvio, buffer, length))
                          : 0;
}

#ifdef CORM_ROWS_HAVE_LENGTHS
/* Bytes of a value in a row of the binary protocol; VARIES: its length stands in front of it. A type that
 * the library does not know has no function there, and is called all the same. */
enum { VARIES = -1, UNKNOWN = -2 };

static int size_of_type(enum enum_field_types type)
{
    switch (type) {
    case MYSQL_TYPE_NULL: return 0;
    case MYSQL_TYPE_TINY: return 1;
    case MYSQL_TYPE_SHORT:
    case MYSQL_TYPE_YEAR: return 2;
    case MYSQL_TYPE_INT24:
    case MYSQL_TYPE_LONG:
    case MYSQL_TYPE_FLOAT: return 4;
    case MYSQL_TYPE_LONGLONG:
    case MYSQL_TYPE_DOUBLE: return 8;
    default: break;
    }
    return type <= MYSQL_TYPE_BIT || type >= MYSQL_TYPE_JSON ? VARIES : UNKNOWN;
}

/* Skips a value of a length that stands in front of it; false where it ends behind `size`. */
static bool skip_counted(const unsigned char *row, size_t size, size_t *at)
{
    if (*at >= size)
        return false;
    unsigned char first = row[(*at)++];
    size_t        digits = first < 251 ? 0 : first == 252 ? 2 : first == 253 ? 3 : 8, n = 0;
    if (first == 251 || first == 255 || digits > size - *at)
        return false;
    for (size_t i = 0; i < digits; i++)
        n |= (size_t)row[(*at)++] << 8 * i;
    if (digits == 0)
        n = first;
    if (n > size - *at)
        return false;
    *at += n;
    return true;
}

/* Whether all values of a row end inside of it. */
static bool is_whole(const MYSQL_STMT *statement, const unsigned char *row, size_t size)
{
    enum { STATUS = 1, RESERVED = 2 };
    size_t at = STATUS + (statement->field_count + 7 + RESERVED) / 8;

    if (at > size)
        return false;
    for (unsigned int i = 0; i < statement->field_count; i++) {
        unsigned int bit = i + RESERVED;
        if ((row[STATUS + bit / 8] >> bit % 8 & 1) != 0)
            continue;
        int fixed = size_of_type(statement->fields[i].type);
        if (fixed == UNKNOWN || (fixed == VARIES && !skip_counted(row, size, &at)) ||
            (fixed >= 0 && (size_t)fixed > size - at))
            return false;
        at += fixed > 0 ? (size_t)fixed : 0;
    }
    return true;
}

static int fetch_whole(MYSQL_STMT *statement, unsigned char *row, unsigned long size)
{
    enum { MALFORMED = 2027 };
    const struct mariadb_link *link =
        (const struct mariadb_link *)((const char *)statement->mysql->methods -
                                      offsetof(struct mariadb_link, calls));

    if (is_whole(statement, row, size))
        return link->own_calls->db_stmt_fetch_to_bind(statement, row, size);
    statement->last_errno = MALFORMED;
    (void)snprintf(statement->last_error, sizeof(statement->last_error),
                   "a row whose values do not end in it");
    return 1;
}

/* The library reads values of rows without a look at where the row ends. */
static void watch_rows(struct mariadb_link *link)
{
    link->own_calls = link->mysql->methods;
    link->calls = *link->mysql->methods;
    link->calls.db_stmt_fetch_to_bind = fetch_whole;
    link->mysql->methods = &link->calls;
}
#else
static void watch_rows(struct mariadb_link *link)
{
    (void)link; /* this version of the library does not tell where a row ends */
}
#endif

/* To be called when the library has connected. */
static void watch_reads(struct mariadb_link *link)
{
    MARIADB_PVIO *pvio = link->mysql->net.pvio;

    link->own = pvio->methods;
    link->methods = *pvio->methods;
    link->methods.read = read_in_time;
    link->methods.async_read = async_read_in_time;
    pvio->methods = &link->methods;
}

/* At the start of each call of the library that may read; of those for one result the deadline is the
 * same. */
static void begin_call(struct mariadb_link *link, int64_t deadline)
{
    if (deadline != link->deadline)
        link->late = 0;
    link->deadline = deadline;
}

static int run_query(struct mariadb_link *link, const char *text, size_t size, int64_t deadline)
{
    begin_call(link, deadline);
    expect_head(link);
    int rc = 0, wanted = mysql_real_query_start(&rc, link->mysql, text, (unsigned long)size);

    while (wanted != 0)
        wanted = mysql_real_query_cont(&rc, link->mysql, wait_for(link, wanted, deadline));
    return rc;
}

static MYSQL_RES *run_store_result(struct mariadb_link *link, int64_t deadline)
{
    begin_call(link, deadline);
    MYSQL_RES *rows = NULL;
    int        wanted = mysql_store_result_start(&rows, link->mysql);

    while (wanted != 0)
        wanted = mysql_store_result_cont(&rows, link->mysql, wait_for(link, wanted, deadline));
    return rows;
}

static int run_prepare(struct mariadb_link *link, MYSQL_STMT *statement, const char *text,
                       size_t size, int64_t deadline)
{
    begin_call(link, deadline);
    int rc = 0, wanted = mysql_stmt_prepare_start(&rc, statement, text, (unsigned long)size);

    while (wanted != 0)
        wanted = mysql_stmt_prepare_cont(&rc, statement, wait_for(link, wanted, deadline));
    return rc;
}

static int run_execute(struct mariadb_link *link, MYSQL_STMT *statement, int64_t deadline)
{
    begin_call(link, deadline);
    expect_head(link);
    int rc = 0, wanted = mysql_stmt_execute_start(&rc, statement);

    while (wanted != 0) {
        if ((wanted & MYSQL_WAIT_READ) != 0 && link->meanwhile != NULL)
            link->meanwhile(link->meanwhile_arg);
        wanted = mysql_stmt_execute_cont(&rc, statement, wait_for(link, wanted, deadline));
    }
    return rc;
}

static int run_stmt_store_result(struct mariadb_link *link, MYSQL_STMT *statement, int64_t deadline)
{
    begin_call(link, deadline);
    int rc = 0, wanted = mysql_stmt_store_result_start(&rc, statement);

    while (wanted != 0)
        wanted = mysql_stmt_store_result_cont(&rc, statement, wait_for(link, wanted, deadline));
    return rc;
}

static int run_stmt_fetch(struct mariadb_link *link, MYSQL_STMT *statement, int64_t deadline)
{
    begin_call(link, deadline);
    int rc = 0, wanted = mysql_stmt_fetch_start(&rc, statement);

    while (wanted != 0)
        wanted = mysql_stmt_fetch_cont(&rc, statement, wait_for(link, wanted, deadline));
    return rc;
}

static void run_stmt_free_result(struct mariadb_link *link, MYSQL_STMT *statement, int64_t deadline)
{
    begin_call(link, deadline);
    my_bool rc = 0;
    int     wanted = mysql_stmt_free_result_start(&rc, statement);

    while (wanted != 0)
        wanted = mysql_stmt_free_result_cont(&rc, statement, wait_for(link, wanted, deadline));
}

static int run_stmt_next_result(struct mariadb_link *link, MYSQL_STMT *statement, int64_t deadline)
{
    begin_call(link, deadline);
    expect_head(link);
    int rc = 0, wanted = mysql_stmt_next_result_start(&rc, statement);

    while (wanted != 0)
        wanted = mysql_stmt_next_result_cont(&rc, statement, wait_for(link, wanted, deadline));
    return rc;
}

/* ---- Errors and state ------------------------------------------------------ */

static int fail(struct mariadb_link *link, unsigned int server_code, const char *sqlstate,
                const char *message, struct corm_error *error)
{
    int  code = corm__mariadb_code(server_code, link->is_open);
    char text[CORM_MESSAGE_MAX / 2], state[8];

    (void)snprintf(state, sizeof(state), "%.5s", sqlstate);
    corm__mariadb_plain(state);
    link->base.lost = link->base.lost || corm__mariadb_lost(server_code);
    if (link->given_up) {
        link->base.lost = true;
        return corm__fail_server(error, link->is_open ? CORM_DISCONNECTED : CORM_UNREACHABLE,
                                 (int)server_code, state, "the node does not answer any more");
    }
    if (link->timed_out) {
        link->base.lost = true;
        return corm__fail_server(error, link->is_open ? CORM_DEADLINE : CORM_UNREACHABLE,
                                 (int)server_code, state, "the server did not answer in time");
    }
    if (server_code == 0 || link->talks_nonsense) { /* the library gave up without a word */
        link->base.lost = true;
        return corm__fail(error, link->is_open ? CORM_DISCONNECTED : CORM_UNREACHABLE,
                          "the server's answer makes no sense");
    }
    corm__mariadb_redact(server_code, message, text, sizeof(text));
    return corm__fail_server(error, code, (int)server_code, state, "%s (%u)", text, server_code);
}

static int fail_query(struct mariadb_link *link, struct corm_error *error)
{
    return fail(link, mysql_errno(link->mysql), mysql_sqlstate(link->mysql),
                mysql_error(link->mysql), error);
}

/* The error of a row that is read as it comes is the connection's alone. */
static int fail_statement(struct mariadb_link *link, MYSQL_STMT *statement,
                          struct corm_error *error)
{
    if (mysql_stmt_errno(statement) == 0)
        return fail_query(link, error);
    return fail(link, mysql_stmt_errno(statement), mysql_stmt_sqlstate(statement),
                mysql_stmt_error(statement), error);
}

/* The library keeps what was told last where nothing is told: so it counts only where it is another one. */
static void note_gtid(struct mariadb_link *link)
{
    static const char name[] = "last_gtid";
    const char       *text = NULL;
    size_t            size = 0;
    bool              is_it = false;

    for (int rc = mysql_session_track_get_first(link->mysql, SESSION_TRACK_SYSTEM_VARIABLES, &text,
                                                &size);
         rc == 0; rc = mysql_session_track_get_next(link->mysql, SESSION_TRACK_SYSTEM_VARIABLES,
                                                    &text, &size)) {
        if (is_it && size < sizeof(link->last_gtid) &&
            (strlen(link->last_gtid) != size || memcmp(link->last_gtid, text, size) != 0)) {
            memcpy(link->last_gtid, text, size);
            link->last_gtid[size] = '\0';
            memcpy(link->base.gtid, link->last_gtid, size + 1);
        }
        is_it = !is_it && size == strlen(name) && memcmp(text, name, size) == 0;
    }
}

/* To be called after an answer that was no error: after one the flag is stale. */
static void note_state(struct mariadb_link *link)
{
    unsigned int status = 0;

    (void)mariadb_get_infov(link->mysql, MARIADB_CONNECTION_SERVER_STATUS, &status);
    link->base.in_trx = (status & SERVER_STATUS_IN_TRANS) != 0;
    link->base.autocommits = link->base.mode.trx && (status & SERVER_STATUS_AUTOCOMMIT) != 0;
    if (link->tells_position && (status & SERVER_SESSION_STATE_CHANGED) != 0)
        note_gtid(link);
}

/* ---- Texts without binds --------------------------------------------------- */

static int query(struct mariadb_link *link, const char *text, int64_t deadline,
                 struct corm_error *error)
{
    link->base.round_trips++;
    link->base.sent = true;
    if (run_query(link, text, strlen(text), deadline) != 0)
        return fail_query(link, error);
    note_state(link);
    return 0;
}

static int link_control(struct corm__link *base, const char *text, int64_t deadline,
                        struct corm_error *error)
{
    struct mariadb_link *link = mariadb(base);
    int                  rc = query(link, text, deadline, error);

    if (rc == 0 && mysql_field_count(link->mysql) > 0) {
        base->lost = true; /* rows that nobody reads */
        return corm__fail(error, CORM_MISUSE, "a statement without rows gave rows");
    }
    return rc;
}

/* ---- Opening --------------------------------------------------------------- */

bool corm__is_local(const struct corm__endpoint *endpoint)
{
    const char     *host = endpoint->host;
    struct in_addr  v4;
    struct in6_addr v6;

    if (endpoint->socket != NULL || strcmp(host, "localhost") == 0)
        return true;
    if (inet_pton(AF_INET, host, &v4) == 1)
        return ntohl(v4.s_addr) >> 24 == 127;
    return inet_pton(AF_INET6, host, &v6) == 1 && IN6_IS_ADDR_LOOPBACK(&v6);
}

bool corm__verifies_tls(const struct corm__endpoint *endpoint)
{
    return endpoint->tls == CORM__TLS_VERIFY ||
           (endpoint->tls == CORM__TLS_DEFAULT && !corm__is_local(endpoint));
}

static void set_options(MYSQL *mysql, const struct corm__endpoint *endpoint)
{
    my_bool      yes = 1;
    unsigned int off = 0, protocol = MYSQL_PROTOCOL_TCP;

    mysql_optionsv(mysql, MYSQL_OPT_NONBLOCK, 0);
    mysql_optionsv(mysql, MARIADB_OPT_IO_WAIT, wait_inside);
    if (endpoint->socket == NULL) /* or "localhost" would mean a socket, and the port nothing */
        mysql_optionsv(mysql, MYSQL_OPT_PROTOCOL, &protocol);
    mysql_optionsv(mysql, MYSQL_SET_CHARSET_NAME, "utf8mb4");
    mysql_optionsv(mysql, MYSQL_OPT_LOCAL_INFILE, &off);
    mysql_optionsv(mysql, MYSQL_REPORT_DATA_TRUNCATION, &yes);
    /* Whatever a server asks for, the password never goes out in clear text. */
    mysql_optionsv(mysql, MARIADB_OPT_RESTRICTED_AUTH,
                   "mysql_native_password,client_ed25519,caching_sha2_password,parsec");
    if (corm__verifies_tls(endpoint)) {
        mysql_optionsv(mysql, MYSQL_OPT_SSL_ENFORCE, &yes);
        mysql_optionsv(mysql, MYSQL_OPT_SSL_VERIFY_SERVER_CERT, &yes);
        if (endpoint->tls_ca != NULL)
            mysql_optionsv(mysql, MYSQL_OPT_SSL_CA, endpoint->tls_ca);
    }
}

/* Blocks, and knows no deadline. The library will do it again; but where the server of names is not
 * there it would try for half a minute. */
static int look_up(const struct corm__endpoint *e, struct corm_error *error)
{
    struct addrinfo hints = {.ai_socktype = SOCK_STREAM}, *found = NULL;
    int             rc = e->socket != NULL ? 0 : getaddrinfo(e->host, NULL, &hints, &found);

    if (found != NULL)
        freeaddrinfo(found);
    if (rc == 0)
        return 0;
    return corm__fail(error, CORM_UNREACHABLE, "%s", gai_strerror(rc));
}

static int open_link(struct mariadb_link *link, const struct corm__endpoint *e, int64_t deadline,
                     struct corm_error *error)
{
    enum { TLS_HANDSHAKE = 2026 };
    MYSQL *opened = NULL;

    if (look_up(e, error) < 0)
        return error->code;
    link->mysql = mysql_init(NULL);
    if (link->mysql == NULL)
        return corm__fail_memory(error, "a connection");
    set_options(link->mysql, e);
    connecting.link = link;
    connecting.deadline = deadline;
    int wanted = mysql_real_connect_start(&opened, link->mysql, e->socket != NULL ? NULL : e->host,
                                          e->user, e->password, e->database,
                                          e->socket != NULL ? 0 : e->port, e->socket, 0);
    while (wanted != 0)
        wanted = mysql_real_connect_cont(&opened, link->mysql, wait_for(link, wanted, deadline));
    connecting.link = NULL;
    if (opened != NULL) {
        stop_blocking(mysql_get_socket(link->mysql));
        watch_reads(link);
        watch_rows(link);
        link->is_connected = true;
        return 0;
    }
    if (mysql_errno(link->mysql) == TLS_HANDSHAKE && corm__ms_left(deadline) == 0)
        link->timed_out = true;
    return fail_query(link, error);
}

enum { ANSWERS_MAX = 7, ANSWER_SIZE = CORM__GTIDS_TEXT };

_Static_assert(sizeof(((struct corm__session *)0)->host) <= ANSWER_SIZE, "the size of an answer");

/* Reads one row of short texts. */
static int ask(struct mariadb_link *link, const char *text, int64_t deadline,
               char answers[ANSWERS_MAX][ANSWER_SIZE], struct corm_error *error)
{
    int rc = query(link, text, deadline, error);

    if (rc < 0)
        return rc;
    MYSQL_RES *rows = run_store_result(link, deadline);
    if (rows == NULL)
        return fail_query(link, error);
    MYSQL_ROW row = mysql_fetch_row(rows);
    for (unsigned int i = 0; row != NULL && i < mysql_num_fields(rows) && i < ANSWERS_MAX; i++)
        (void)snprintf(answers[i], ANSWER_SIZE, "%s", row[i] != NULL ? row[i] : "");
    mysql_free_result(rows);
    return 0;
}

static int check_version(struct mariadb_link *link, struct corm_error *error)
{
    unsigned long version = mysql_get_server_version(link->mysql);
    bool          maria = link->base.dialect == CORM_DIALECT_MARIADB;
    char          said[64];

    (void)snprintf(said, sizeof(said), "%s", mysql_get_server_info(link->mysql));
    corm__mariadb_plain(said);
    link->base.has_uuid = maria && version >= 100700ul;
    if (version >= (maria ? 100600ul : 80016ul))
        return 0;
    return corm__fail(error, CORM_UNSUPPORTED,
                      "the server is %s, corm needs MariaDB 10.6 or MySQL "
                      "8.0.16 at least",
                      said);
}

/* Where a session stands: what neither a SET nor a reset puts back. */
#define HOME "SHA2(CONCAT(COALESCE(CURRENT_ROLE(), ''), '/', COALESCE(DATABASE(), '')), 256)"

/* What is asked once, of a session that nobody has touched. */
static int learn(struct mariadb_link *link, int64_t deadline, struct corm_error *error)
{
    bool maria = link->base.dialect == CORM_DIALECT_MARIADB;
    char answers[ANSWERS_MAX][ANSWER_SIZE] = {{0}};
    int  rc =
        ask(link,
            maria ? "SELECT @@tx_isolation, @@innodb_rollback_on_timeout, (SELECT COUNT(*) FROM "
                    "information_schema.system_variables WHERE variable_name = "
                    "'innodb_snapshot_isolation'), @@max_allowed_packet, "
                    "@@max_prepared_stmt_count, " HOME ", (SELECT COUNT(*) FROM "
                    "information_schema.global_variables WHERE variable_name = 'WSREP_ON' AND "
                    "variable_value = 'ON')"
                  : "SELECT @@transaction_isolation, @@innodb_rollback_on_timeout, 0, "
                    "@@max_allowed_packet, @@max_prepared_stmt_count, " HOME ", 0",
            deadline, answers, error);

    (void)snprintf(link->server_isolation, sizeof(link->server_isolation), "%.31s", answers[0]);
    link->base.rollback_on_timeout = strcmp(answers[1], "1") == 0;
    link->has_snapshot_isolation = strcmp(answers[2], "1") == 0;
    link->base.packet_max = strtoul(answers[3], NULL, 10);
    link->base.statements_max = (uint32_t)strtoul(answers[4], NULL, 10);
    (void)snprintf(link->home, sizeof(link->home), "%.71s", answers[5]);
    link->is_galera = strcmp(answers[6], "1") == 0;
    return rc;
}

/* Who this session is, and whether there is a ledger: asked once, too. */
static int learn_session(struct mariadb_link *link, int64_t deadline, struct corm_error *error)
{
    struct corm__session *s = &link->base.session;
    char                  answers[ANSWERS_MAX][ANSWER_SIZE] = {{0}}, text[768];

    (void)snprintf(
        text, sizeof(text),
        "SELECT CONNECTION_ID(), UNIX_TIMESTAMP() - (SELECT variable_value FROM "
        "%s.global_status WHERE variable_name = 'UPTIME'), "
        "SHA2(CONCAT_WS('/', @@hostname, @@port, @@datadir), 256), "
        "(SELECT host FROM information_schema.processlist WHERE id = CONNECTION_ID()), "
        "(SELECT COUNT(*) FROM information_schema.columns WHERE table_schema = DATABASE() AND "
        "table_name = 'corm_ledger' AND column_name = 'sequence')",
        link->base.dialect == CORM_DIALECT_MARIADB ? "information_schema" : "performance_schema");
    int rc = ask(link, text, deadline, answers, error);
    s->id = strtoull(answers[0], NULL, 10);
    s->began = strtoll(answers[1], NULL, 10);
    memcpy(s->server, answers[2], sizeof(s->server));
    memcpy(s->host, answers[3], sizeof(s->host));
    s->server[sizeof(s->server) - 1] = s->host[sizeof(s->host) - 1] = '\0';
    link->base.has_ledger = strcmp(answers[4], "1") == 0;
    return rc;
}

/* Makes the session one that corm can rely on, whatever the server's defaults are. One that is not at
 * home is refused with AWAY: two rows where one value may stand. */
enum { AWAY = 1242 };

static int pin(struct mariadb_link *link, int64_t deadline, struct corm_error *error)
{
    bool maria = link->base.dialect == CORM_DIALECT_MARIADB;
    char text[896];

    (void)snprintf(text, sizeof(text),
                   "SET SESSION sql_mode='STRICT_ALL_TABLES,STRICT_TRANS_TABLES,NO_ZERO_DATE,"
                   "NO_ZERO_IN_DATE,ERROR_FOR_DIVISION_BY_ZERO,NO_AUTO_VALUE_ON_ZERO,"
                   "NO_ENGINE_SUBSTITUTION%s', time_zone='+00:00', autocommit=1, "
                   "character_set_client=utf8mb4, character_set_connection=utf8mb4, "
                   "character_set_results=utf8mb4, "
                   "completion_type=IF(" HOME "='%s', 0, (SELECT 0 UNION SELECT 1)), "
                   "foreign_key_checks=1, unique_checks=1, "
                   "innodb_lock_wait_timeout=LEAST(@@innodb_lock_wait_timeout, %u)%s",
                   maria ? ",SIMULTANEOUS_ASSIGNMENT" : "", link->home, link->lock_wait_s,
                   maria && link->tells_position /* without what is in it, texts are not safe */
                       ? ", session_track_system_variables="
                         "CONCAT(@@session_track_system_variables, ',last_gtid')"
                       : "");
    return query(link, text, deadline, error);
}

static bool find_arrays(struct mariadb_link *link)
{
    unsigned long extended = 0; /* the upper 32 of 64 bits */

    (void)mariadb_get_infov(link->mysql, MARIADB_CONNECTION_EXTENDED_SERVER_CAPABILITIES,
                            &extended);
    return link->base.dialect == CORM_DIALECT_MARIADB &&
           (extended & (MARIADB_CLIENT_STMT_BULK_OPERATIONS >> 32)) != 0;
}

static void link_close(struct corm__link *base)
{
    struct mariadb_link *link = mariadb(base);

    while (link->reset_wants != 0) /* ends with an error, and the library's call with it */
        link->reset_wants =
            mysql_reset_connection_cont(&link->reset_rc, link->mysql, MYSQL_WAIT_TIMEOUT);
    if (link->mysql != NULL)
        mysql_close(link->mysql); /* sends a farewell where that is possible at once */
    free(link);
}

static void name_server(const struct corm__endpoint *e, struct corm_error *error)
{
    char where[192];

    if (e->socket != NULL)
        (void)snprintf(where, sizeof(where), "cannot connect to the socket %.120s", e->socket);
    else
        (void)snprintf(where, sizeof(where), "cannot connect to %.120s:%u", e->host, e->port);
    corm__error_prefix(error, where);
}

static int link_connect(const struct corm__endpoint *endpoint, bool for_writing, int64_t deadline,
                        struct corm__link **out, struct corm_error *error)
{
    struct mariadb_link *link = calloc(1, sizeof(*link));

    (void)for_writing;
    if (link == NULL)
        return corm__fail_memory(error, "a connection");
    link->base.driver = &corm__mariadb;
    link->database = endpoint->database;
    link->silent = endpoint->silent;
    link->tells_position = endpoint->tells_position;
    link->lock_wait_s = endpoint->timeout_ms / 1000 > 0 ? endpoint->timeout_ms / 1000 : 1;
    int rc = open_link(link, endpoint, deadline, error);
    if (rc == 0) {
        link->base.dialect =
            mariadb_connection(link->mysql) ? CORM_DIALECT_MARIADB : CORM_DIALECT_MYSQL;
        rc = check_version(link, error);
    }
    if (rc == 0)
        rc = learn(link, deadline, error);
    if (rc == 0)
        rc = learn_session(link, deadline, error);
    if (rc == 0)
        rc = pin(link, deadline, error);
    if (rc == 0)
        link->has_arrays = find_arrays(link);
    if (rc < 0) {
        link->base.lost = true;
        link_close(&link->base);
        name_server(endpoint, error);
        return rc;
    }
    link->is_open = true;
    *out = &link->base;
    return 0;
}

static bool link_is_alive(struct corm__link *base)
{
    char    byte;
    ssize_t n = recv(mysql_get_socket(mariadb(base)->mysql), &byte, 1, MSG_PEEK | MSG_DONTWAIT);

    /* Nothing to read is the rule; a farewell of the server or its end of file is not. */
    return n < 0 && (errno == EAGAIN || errno == EWOULDBLOCK);
}

/* ---- How it is ------------------------------------------------------------- */

/* Of a node that is no part of a cluster any more the tables of information_schema can still be read. */
#define STATUS(name) "MAX(IF(variable_name = '" name "', variable_value, NULL))"

static int look_at_cluster(struct mariadb_link *link, int64_t deadline,
                           struct corm__condition *condition, struct corm_error *error)
{
    char answers[ANSWERS_MAX][ANSWER_SIZE] = {{0}};
    int  rc = ask(
         link,
         "SELECT " STATUS("WSREP_READY") ", " STATUS("WSREP_CLUSTER_STATUS") ", " STATUS("WSREP_LOCAL_STATE") ", " STATUS(
             "WSREP_CLUSTER_STATE_UUID") " FROM information_schema.global_status WHERE variable_name IN ('WSREP_READY', "
                                          "'WSREP_CLUSTER_STATUS', 'WSREP_LOCAL_STATE', 'WSREP_CLUSTER_STATE_UUID')",
         deadline, answers, error);

    condition->is_synced = strcmp(answers[0], "ON") == 0 && strcmp(answers[1], "Primary") == 0 &&
                           strcmp(answers[2], "4") == 0;
    (void)snprintf(condition->cluster, sizeof(condition->cluster), "%.63s", answers[3]);
    return rc;
}

/* One that has been cut off is none. */
static void put_gtids(char to[CORM__GTIDS_TEXT], const char *answer)
{
    (void)snprintf(to, CORM__GTIDS_TEXT, "%s",
                   strlen(answer) < CORM__GTIDS_TEXT - 1 ? answer : "?");
}

static int link_look(struct corm__link *base, int64_t deadline, struct corm__condition *condition,
                     struct corm_error *error)
{
    struct mariadb_link *link = mariadb(base);
    char                 answers[ANSWERS_MAX][ANSWER_SIZE] = {{0}};
    int                  rc = ask(link,
                 base->dialect == CORM_DIALECT_MARIADB
                                      ? "SELECT @@global.read_only, (SELECT variable_value FROM "
                                        "information_schema.global_variables WHERE variable_name = 'WSREP_ON'), "
                                        "IF(@@log_bin, @@global.gtid_binlog_pos, '?'), @@global.gtid_slave_pos"
                                      : "SELECT @@global.read_only, 'OFF', '?', '?'",
                                  deadline, answers, error);

    *condition = (struct corm__condition){.takes_writes = strcmp(answers[0], "0") == 0,
                                          .is_galera = strcmp(answers[1], "ON") == 0};
    put_gtids(condition->written, answers[2]);
    put_gtids(condition->applied, answers[3]);
    return rc == 0 && condition->is_galera ? look_at_cluster(link, deadline, condition, error) : rc;
}

static int link_catch_up(struct corm__link *base, const char *gtids, uint32_t ms, int64_t deadline,
                         struct corm_error *error)
{
    char    answers[ANSWERS_MAX][ANSWER_SIZE] = {{0}}, text[512];
    int64_t at = corm__deadline_in(ms);

    if (gtids == NULL) /* how long that waits is the cluster's to say: here the link is given up */
        return ask(mariadb(base), "SET STATEMENT wsrep_sync_wait=1 FOR SELECT 1",
                   at < deadline ? at : deadline, answers, error) < 0
                   ? error->code
                   : 1;
    (void)snprintf(text, sizeof(text), "SELECT MASTER_GTID_WAIT('%s', %u.%03u)", gtids, ms / 1000,
                   ms % 1000);
    int rc = ask(mariadb(base), text, deadline, answers, error);
    return rc < 0 ? rc : strcmp(answers[0], "0") == 0; /* -1: not in time */
}

/* ---- Resets ---------------------------------------------------------------- */

static bool link_begin_reset(struct corm__link *base)
{
    struct mariadb_link *link = mariadb(base);

    /* Nobody asked for more results, and the library would wait for them for ever. And a node of a cluster heeds
     * wsrep_sync_wait in no session that was reset (codership/galera#613): it would give old rows. */
    if (mysql_more_results(link->mysql) || link->is_galera)
        return false;
    base->round_trips++;
    link->reset_wants = mysql_reset_connection_start(&link->reset_rc, link->mysql);
    return true;
}

static int use_database(struct mariadb_link *link, int64_t deadline, struct corm_error *error)
{
    int rc = 0;

    link->base.round_trips++;
    begin_call(link, deadline);
    int wanted = mysql_select_db_start(&rc, link->mysql, link->database);
    while (wanted != 0)
        wanted = mysql_select_db_cont(&rc, link->mysql, wait_for(link, wanted, deadline));
    return rc != 0 ? fail_query(link, error) : 0;
}

static int link_end_reset(struct corm__link *base, int64_t deadline, struct corm_error *error)
{
    struct mariadb_link *link = mariadb(base);
    struct corm_error    away = {0};

    begin_call(link, deadline);
    while (link->reset_wants != 0)
        link->reset_wants = mysql_reset_connection_cont(
            &link->reset_rc, link->mysql, wait_for(link, link->reset_wants, deadline));
    if (link->reset_rc != 0)
        return fail_query(link, error);
    base->mode = (struct corm__mode){0};
    int rc = pin(link, deadline, &away);
    if (rc == 0)
        return 0;
    if (away.server_code != AWAY || link->database == NULL) {
        *error = away;
        return rc;
    }
    rc = use_database(link, deadline, error); /* which a reset leaves as it is; and a role, too */
    return rc < 0 ? rc : pin(link, deadline, error);
}

static void link_disown(struct corm__link *base)
{
    int parents = mysql_get_socket(mariadb(base)->mysql), nowhere = open("/dev/null", O_RDWR);

    base->lost = true;
    if (nowhere >= 0) {
        (void)dup2(nowhere, parents);
        (void)close(nowhere);
    } else {
        (void)close(parents);
    }
}

/* ---- Sessions of others ------------------------------------------------------ */

/* Ids start again when the server does, so the id alone would hit a stranger; when it was started is
 * told in seconds, with an error of one. */
static bool is_same_run(const struct corm__session *a, const struct corm__session *b)
{
    return a->began != 0 && a->began - b->began <= 1 && b->began - a->began <= 1 &&
           strcmp(a->server, b->server) == 0;
}

static int link_end_session(struct corm__link *base, const struct corm__session *session,
                            int64_t deadline, struct corm_error *error)
{
    enum { NO_SUCH_THREAD = 1094 };
    char answers[ANSWERS_MAX][ANSWER_SIZE] = {{0}}, text[320];

    if (session->id == 0 || !is_same_run(session, &base->session) ||
        strpbrk(session->host, "'\\") != NULL)
        return 0;
    (void)snprintf(text, sizeof(text),
                   "SELECT COUNT(*) FROM information_schema.processlist WHERE id = %llu AND "
                   "user = SUBSTRING_INDEX(USER(), '@', 1) AND host = '%s'",
                   (unsigned long long)session->id, session->host);
    int rc = ask(mariadb(base), text, deadline, answers, error);
    if (rc < 0 || strcmp(answers[0], "1") != 0)
        return rc;
    (void)snprintf(text, sizeof(text), "KILL %llu", (unsigned long long)session->id);
    rc = query(mariadb(base), text, deadline, error);
    if (rc < 0 && error->server_code == NO_SUCH_THREAD) {
        *error = (struct corm_error){0};
        return 0;
    }
    return rc < 0 ? rc : 1;
}

/* ---- Modes ----------------------------------------------------------------- */

static const char *isolation_text(const struct mariadb_link *link, enum corm_isolation isolation)
{
    switch (isolation) {
    case CORM_READ_COMMITTED: return "READ-COMMITTED";
    case CORM_REPEATABLE_READ: return "REPEATABLE-READ";
    case CORM_SERIALIZABLE: return "SERIALIZABLE";
    default: return link->server_isolation;
    }
}

static int link_enter(struct corm__link *base, const struct corm__mode *mode, int64_t deadline,
                      struct corm_error *error)
{
    struct mariadb_link *link = mariadb(base);
    const char          *prefix = base->dialect == CORM_DIALECT_MARIADB ? "tx" : "transaction";
    const char          *isolation = isolation_text(link, mode->isolation);
    const char          *snapshot = "";
    char                 wait[96] = "", text[320];

    if (mode->trx == base->mode.trx &&
        (!mode->trx ||
         (mode->isolation == base->mode.isolation && mode->read_only == base->mode.read_only)) &&
        mode->lock_wait_s == base->mode.lock_wait_s)
        return 0;
    /* It makes REPEATABLE READ lose no update. SERIALIZABLE loses none by its locks, and with it even
     * a first locking read that had to wait fails with 1020 (MDEV-36330, from 10.11.12). */
    if (link->has_snapshot_isolation)
        snapshot = strcmp(isolation, "REPEATABLE-READ") == 0 ? ", innodb_snapshot_isolation=ON"
                                                             : ", innodb_snapshot_isolation=OFF";
    if (mode->lock_wait_s != base->mode.lock_wait_s)
        (void)snprintf(wait, sizeof(wait),
                       ", innodb_lock_wait_timeout=LEAST(@@GLOBAL.innodb_lock_wait_timeout, %u)",
                       mode->lock_wait_s > 0 ? mode->lock_wait_s : link->lock_wait_s);
    if (mode->trx)
        (void)snprintf(text, sizeof(text),
                       "SET SESSION %s_isolation='%s', %s_read_only=%d, autocommit=0%s%s", prefix,
                       isolation, prefix, mode->read_only, snapshot, wait);
    else
        (void)snprintf(text, sizeof(text), "SET SESSION %s_read_only=0, autocommit=1%s", prefix,
                       wait);
    int rc = query(link, text, deadline, error);
    if (rc < 0)
        base->lost = true; /* half set up: nobody may use it */
    else
        base->mode = *mode;
    return rc < 0 ? rc : 1;
}

static const struct corm__server_error *find_error(int server_code)
{
    return corm__find_error(corm__mariadb_errors, server_code);
}

/* ---- Prepared statements ---------------------------------------------------- */

static void link_finalize(struct corm__link *base, struct corm__prepared *prepared)
{
    if (base->lost) { /* or the library would ask for more of them, again and again */
        mariadb(base)->mysql->server_status &= ~(unsigned int)SERVER_MORE_RESULTS_EXIST;
        if (prepared->statement != NULL)
            prepared->statement->upsert_status.server_status &=
                ~(unsigned int)SERVER_MORE_RESULTS_EXIST;
    }
    if (prepared->statement != NULL)
        mysql_stmt_close(prepared->statement); /* sends, and waits for no answer */
    for (unsigned int i = 0; i < prepared->column_capacity; i++)
        free(prepared->cells[i].text);
    free(prepared->params);
    free(prepared->columns);
    free(prepared->cells);
    free(prepared->values);
    free(prepared->names);
    free(prepared);
}

/* The server closes the link on what is too large for it: so that it is not sent. */
static int check_size(const struct mariadb_link *link, size_t size, struct corm_error *error)
{
    enum { HEADER = 64 };

    if (size + HEADER <= link->base.packet_max)
        return 0;
    return corm__fail(error, CORM_TOO_LARGE, "a statement of %zu bytes for a server that takes %zu",
                      size, link->base.packet_max);
}

/* What the library calls for results that come behind one without rows; it does so without a look whether
 * it has something to call. */
static MYSQL_RES *take_unannounced(MYSQL_STMT *statement)
{
    (void)mysql_stmt_store_result(statement);
    return NULL;
}

static int link_prepare(struct corm__link *base, const char *text, size_t size, int64_t deadline,
                        struct corm__prepared **out, struct corm_error *error)
{
    struct mariadb_link   *link = mariadb(base);
    struct corm__prepared *p = calloc(1, sizeof(*p));

    if (p == NULL)
        return corm__fail_memory(error, "a prepared statement");
    if (check_size(link, size, error) < 0) {
        free(p);
        return error->code;
    }
    p->statement = mysql_stmt_init(link->mysql);
    if (p->statement == NULL) {
        free(p);
        return corm__fail_memory(error, "a prepared statement");
    }
    p->statement->default_rset_handler = take_unannounced;
    base->round_trips++;
    int rc = 0;
    if (run_prepare(link, p->statement, text, size, deadline) != 0)
        rc = fail_statement(link, p->statement, error);
    if (rc == 0) {
        p->param_count = mysql_stmt_param_count(p->statement);
        p->params = calloc(p->param_count + 1, sizeof(MYSQL_BIND));
        if (p->params == NULL)
            rc = corm__fail_memory(error, "a prepared statement");
    }
    if (rc < 0) {
        link_finalize(base, p);
        return rc;
    }
    *out = p;
    return 0;
}

/* ---- Binds and rows ---------------------------------------------------------- */

/* The library takes pointers to what it only reads. */
static void *unconst(const void *p)
{
    void *q;

    memcpy(&q, &p, sizeof(q));
    return q;
}

static void set_type(MYSQL_BIND *b, enum corm_value_kind kind)
{
    memset(b, 0, sizeof(*b));
    b->is_unsigned = kind == CORM_V_UINT;
    switch (kind) {
    case CORM_V_INT:
    case CORM_V_UINT: b->buffer_type = MYSQL_TYPE_LONGLONG; break;
    case CORM_V_REAL: b->buffer_type = MYSQL_TYPE_DOUBLE; break;
    case CORM_V_TEXT: b->buffer_type = MYSQL_TYPE_STRING; break;
    case CORM_V_DECIMAL:
        b->buffer_type = MYSQL_TYPE_NEWDECIMAL;
        break; /* or compared as a double */
    case CORM_V_BLOB:
    case CORM_V_UUID: b->buffer_type = MYSQL_TYPE_BLOB; break; /* a UUID, a BINARY(16) take it */
    default: b->buffer_type = MYSQL_TYPE_NULL;
    }
}

static int bind_params(struct mariadb_link *link, struct corm__prepared *p,
                       const struct corm__statement *statement, struct corm_error *error)
{
    if (statement->bind_count != p->param_count)
        return corm__fail(error, CORM_MISUSE, "the statement has %lu `?` and %u values",
                          p->param_count, statement->bind_count);
    for (uint32_t i = 0; i < statement->bind_count; i++) {
        const struct corm_value *v = &statement->binds[i];
        MYSQL_BIND              *b = &p->params[i];
        set_type(b, v->kind);
        if (v->kind == CORM_V_UUID) {
            b->buffer = unconst(v->as.uuid.bytes);
            b->buffer_length = sizeof(v->as.uuid.bytes);
            continue;
        }
        switch (b->buffer_type) {
        case MYSQL_TYPE_LONGLONG: b->buffer = unconst(&v->as.i); break;
        case MYSQL_TYPE_DOUBLE: b->buffer = unconst(&v->as.r); break;
        default: b->buffer = unconst(v->as.p); b->buffer_length = v->size;
        }
    }
    if (p->param_count > 0 && mysql_stmt_bind_param(p->statement, p->params) != 0)
        return fail_statement(link, p->statement, error);
    return 0;
}

static bool make_room(struct corm__prepared *p, unsigned int count)
{
    if (count <= p->column_capacity)
        return true;
    p->bound = NULL; /* what the library is bound to moves */
    MYSQL_BIND *columns = realloc(p->columns, count * sizeof(*columns));
    if (columns != NULL)
        p->columns = columns;
    struct corm_value *values = realloc(p->values, count * sizeof(*values));
    if (values != NULL)
        p->values = values;
    const char **names = realloc(p->names, count * sizeof(*names));
    if (names != NULL)
        p->names = names;
    struct cell *cells = realloc(p->cells, count * sizeof(*cells));
    if (cells != NULL) {
        p->cells = cells;
        memset(cells + p->column_capacity, 0, (count - p->column_capacity) * sizeof(*cells));
    }
    if (columns == NULL || values == NULL || names == NULL || cells == NULL)
        return false;
    p->column_capacity = count;
    return true;
}

/* By the server's type. */
static enum corm_value_kind kind_of_field(const MYSQL_FIELD *field)
{
    switch (field->type) {
    case MYSQL_TYPE_TINY:
    case MYSQL_TYPE_SHORT:
    case MYSQL_TYPE_INT24:
    case MYSQL_TYPE_LONG:
    case MYSQL_TYPE_LONGLONG:
    case MYSQL_TYPE_YEAR: return (field->flags & UNSIGNED_FLAG) != 0 ? CORM_V_UINT : CORM_V_INT;
    case MYSQL_TYPE_FLOAT:
    case MYSQL_TYPE_DOUBLE: return CORM_V_REAL;
    case MYSQL_TYPE_TINY_BLOB:
    case MYSQL_TYPE_MEDIUM_BLOB:
    case MYSQL_TYPE_LONG_BLOB:
    case MYSQL_TYPE_BLOB:
    case MYSQL_TYPE_STRING:
    case MYSQL_TYPE_VAR_STRING:
    case MYSQL_TYPE_VARCHAR:
    case MYSQL_TYPE_BIT:
    case MYSQL_TYPE_GEOMETRY: return field->charsetnr == 63 ? CORM_V_BLOB : CORM_V_TEXT;
    default: return CORM_V_TEXT;
    }
}

/* What a column of a model is fetched as. The library turns one kind into another without a word about
 * what is lost, so a number of the server is fetched as the number that it is, and schema/row.c says
 * whether it is one of the model's type. */
static enum corm_value_kind kind_of_column(const struct corm_column *column,
                                           const MYSQL_FIELD        *field)
{
    enum corm_value_kind sent = kind_of_field(field);
    bool                 real = column->type == CORM_FLOAT || column->type == CORM_DOUBLE;
    bool                 whole = corm__is_integer(column) || column->type == CORM_BOOL;

    if (sent == CORM_V_REAL || ((sent == CORM_V_INT || sent == CORM_V_UINT) && (real || whole)))
        return sent;
    if (real)
        return CORM_V_REAL;
    return column->type == CORM_BLOB || column->type == CORM_UUID ? CORM_V_BLOB : CORM_V_TEXT;
}

static bool bind_column(struct corm__prepared *p, unsigned int i, enum corm_value_kind kind)
{
    struct cell *cell = &p->cells[i];
    MYSQL_BIND  *b = &p->columns[i];

    memset(b, 0, sizeof(*b));
    b->is_null = &cell->is_null;
    b->length = &cell->length;
    b->error = &cell->is_cut;
    if (kind == CORM_V_INT || kind == CORM_V_UINT) {
        b->buffer_type = MYSQL_TYPE_LONGLONG;
        b->is_unsigned = kind == CORM_V_UINT;
        b->buffer = &cell->whole;
    } else if (kind == CORM_V_REAL) {
        b->buffer_type = MYSQL_TYPE_DOUBLE;
        b->buffer = &cell->real;
    } else {
        if (cell->text == NULL) {
            cell->text = malloc(FIRST_TEXT);
            if (cell->text == NULL)
                return false;
            cell->capacity = FIRST_TEXT;
        }
        b->buffer_type = kind == CORM_V_BLOB ? MYSQL_TYPE_BLOB : MYSQL_TYPE_STRING;
        b->buffer = cell->text;
        b->buffer_length = cell->capacity;
    }
    cell->kind = kind;
    p->values[i] = (struct corm_value){0};
    return true;
}

/* A text that is longer than its buffer: the whole of it, in a larger one. */
static int fetch_again(struct mariadb_link *link, struct corm__prepared *p, unsigned int i,
                       struct corm_error *error)
{
    struct cell *cell = &p->cells[i];
    char        *text = realloc(cell->text, cell->length);

    if (text == NULL)
        return corm__fail_memory(error, "a text that was read");
    cell->text = text;
    cell->capacity = cell->length;
    p->columns[i].buffer = text;
    p->columns[i].buffer_length = cell->capacity;
    p->grown = true;
    p->bound =
        NULL; /* what the library is bound to is gone, also if this row is the last one read */
    if (mysql_stmt_fetch_column(p->statement, &p->columns[i], i, 0) != 0)
        return fail_statement(link, p->statement, error);
    return 0;
}

/* Binds the larger buffers for the rows to come; only between rows, because the library keeps its
 * place in the row in what it is bound to. */
static int bind_grown(struct mariadb_link *link, struct corm__prepared *p, struct corm_error *error)
{
    if (!p->grown)
        return 0;
    p->grown = false;
    if (mysql_stmt_bind_result(p->statement, p->columns) != 0)
        return fail_statement(link, p->statement, error);
    return 0;
}

/* The library could not turn what the server sent into a number without losing something of it. */
static int fail_cut(const struct corm__prepared *p, unsigned int i, struct corm_error *error)
{
    char number[16];

    (void)snprintf(number, sizeof(number), "%u", i + 1);
    return corm__fail(error, CORM_BAD_VALUE,
                      "column %s holds a value in the database that its model cannot take: it is "
                      "no number, or outside the range",
                      p->types != NULL ? corm__column_name(&p->types->columns[i]) : number);
}

static int take_cell(struct mariadb_link *link, struct corm__prepared *p, unsigned int i,
                     struct corm_error *error)
{
    struct cell       *cell = &p->cells[i];
    struct corm_value *v = &p->values[i];
    int                rc = 0;

    v->kind = cell->is_null ? CORM_V_NULL : cell->kind;
    switch (v->kind) {
    case CORM_V_NULL: return 0;
    case CORM_V_INT:
    case CORM_V_UINT:
    case CORM_V_REAL:
        if (cell->is_cut)
            return fail_cut(p, i, error);
        if (cell->kind == CORM_V_REAL)
            v->as.r = cell->real;
        else
            v->as.i = cell->whole;
        return 0;
    default:
        if (cell->length > cell->capacity)
            rc = fetch_again(link, p, i, error);
        v->as.p = cell->text;
        v->size = (uint32_t)cell->length;
        return rc;
    }
}

/* Rows without a model have the server's own types and names. */
static int bind_raw(struct corm__prepared *p, const MYSQL_FIELD *fields, struct corm__sink *sink,
                    struct corm_error *error)
{
    int rc = 0;

    for (unsigned int i = 0; rc == 0 && i < p->column_count; i++) {
        p->names[i] = fields[i].name;
        if (!bind_column(p, i, kind_of_field(&fields[i])))
            rc = corm__fail_memory(error, "rows");
    }
    if (rc == 0)
        rc = corm__sink_names(sink, p->names, p->column_count, error);
    return rc;
}

static int bind_model(struct corm__prepared *p, const MYSQL_FIELD *fields,
                      const struct corm_table *types, struct corm_error *error)
{
    if (types->column_count != p->column_count)
        return corm__fail(error, CORM_MISUSE, "the statement has %u columns, its model %u",
                          p->column_count, types->column_count);
    for (unsigned int i = 0; i < p->column_count; i++)
        if (!bind_column(p, i, kind_of_column(&types->columns[i], &fields[i])))
            return corm__fail_memory(error, "rows");
    return 0;
}

/* Whether the columns are bound for this model, and the table has not changed its types since. */
static bool is_bound(const struct corm__prepared *p, const MYSQL_FIELD *fields,
                     const struct corm_table *types)
{
    if (types == NULL || types != p->bound)
        return false;
    /* The library forgets all of it where a server says that more results follow. */
    if (p->column_count == 0 || p->statement->bind->buffer != p->columns->buffer)
        return false;
    for (unsigned int i = 0; i < p->column_count; i++)
        if (p->cells[i].kind != kind_of_column(&types->columns[i], &fields[i]))
            return false;
    return true;
}

/* Tells the sink of a result set and binds its columns. A statement that comes again with the same
 * model is bound already. */
static int start_rows(struct mariadb_link *link, struct corm__prepared *p, struct corm__sink *sink,
                      struct corm_error *error)
{
    const MYSQL_FIELD       *fields = mariadb_stmt_fetch_fields(p->statement);
    const struct corm_table *types = NULL;
    int                      rc = corm__sink_start(sink, &types, error);

    p->types = types;
    if (rc < 0 || is_bound(p, fields, types))
        return rc;
    p->bound = NULL;
    p->grown = false;
    if (!make_room(p, p->column_count))
        return corm__fail_memory(error, "rows");
    rc = types == NULL ? bind_raw(p, fields, sink, error) : bind_model(p, fields, types, error);
    if (rc == 0 && mysql_stmt_bind_result(p->statement, p->columns) != 0)
        rc = fail_statement(link, p->statement, error);
    if (rc == 0) /* an alias, or the shape of a join, lives for one statement only */
        p->bound = types != NULL && types->alias == NULL ? types : NULL;
    return rc;
}

/* The next row of a result: MYSQL_NO_DATA behind the last one. Who takes his time over each row may be
 * late although they are all there. */
static int fetch(struct mariadb_link *link, struct corm__prepared *p, const struct corm__sink *sink,
                 int64_t deadline)
{
    if (!sink->streams)
        return mysql_stmt_fetch(p->statement);
    if (!sink->slow || corm__ms_left(deadline) > 0)
        return run_stmt_fetch(link, p->statement, deadline);
    (void)time_out(link, mysql_get_socket(link->mysql));
    return 1;
}

static int take_row(struct mariadb_link *link, struct corm__prepared *p, struct corm__sink *sink,
                    struct corm_error *error)
{
    int rc = 0;

    for (unsigned int i = 0; rc == 0 && i < p->column_count; i++)
        rc = take_cell(link, p, i, error);
    if (rc == 0)
        rc = bind_grown(link, p, error);
    return rc == 0 ? sink->row(sink, p->values, p->column_count, error) : rc;
}

/* Ends a result set. Of one that streams all that is still to come is read and forgotten. */
static int end_rows(struct mariadb_link *link, struct corm__prepared *p, bool streams,
                    int64_t deadline, int rc, struct corm_error *error)
{
    if (!streams) {
        mysql_stmt_free_result(p->statement);
        return rc;
    }
    run_stmt_free_result(link, p->statement, deadline);
    return link->timed_out ? fail_query(link, error) : rc;
}

/* Reads one result set to its end, whatever becomes of its rows, so that the link stays usable. Behind
 * one that failed (`rc`) the others are read and forgotten. */
static int read_rows(struct mariadb_link *link, struct corm__prepared *p, struct corm__sink *sink,
                     int64_t deadline, int64_t *count, int rc, struct corm_error *error)
{
    bool streams = sink != NULL && sink->streams;

    p->column_count = mysql_stmt_field_count(p->statement);
    if (!streams && run_stmt_store_result(link, p->statement, deadline) != 0)
        return fail_statement(link, p->statement, error);
    if (sink == NULL) {
        mysql_stmt_free_result(p->statement);
        return corm__fail(error, CORM_MISUSE, "a statement without rows gave rows");
    }
    if (rc == 0)
        rc = start_rows(link, p, sink, error);
    while (rc == 0) {
        int fetched = fetch(link, p, sink, deadline);
        if (fetched == MYSQL_NO_DATA)
            break;
        if (fetched != 0 && fetched != MYSQL_DATA_TRUNCATED)
            rc = fail_statement(link, p->statement, error);
        else
            rc = take_row(link, p, sink, error);
        (*count)++;
    }
    return end_rows(link, p, streams, deadline, rc < 0 ? rc : 0, error);
}

/* How many rows a write matched: the server counts those that it changed, and tells of the others
 * only in its message. */
static int64_t matched(struct mariadb_link *link, MYSQL_STMT *statement)
{
    static const char label[] = "Rows matched: ";
    const char       *info = mysql_info(link->mysql);

    if (info != NULL && strncmp(info, label, strlen(label)) == 0)
        return strtoll(info + strlen(label), NULL, 10);
    return (int64_t)mysql_stmt_affected_rows(statement);
}

static size_t size_of_binds(const struct corm__statement *statement)
{
    enum { PER_BIND = 12 }; /* type, NULL bit, length or number */
    size_t size = 0;

    for (uint32_t i = 0; i < statement->bind_count; i++) {
        const struct corm_value *v = &statement->binds[i];
        size += PER_BIND;
        switch (v->kind) {
        case CORM_V_TEXT:
        case CORM_V_DECIMAL:
        case CORM_V_BLOB: size += v->size; break;
        case CORM_V_UUID: size += sizeof(v->as.uuid); break;
        default: break;
        }
    }
    return size;
}

/* Reads all results of a statement that was sent. `result->rows` is the count of the last one that has
 * rows; with `*had_rows` false there is none. */
static int read_results(struct mariadb_link *link, struct corm__prepared *p,
                        struct corm__sink *sink, int64_t deadline, struct corm__result *result,
                        bool *had_rows, struct corm_error *error)
{
    int rc = 0, more = 0;

    *had_rows = false;
    do {
        if (mysql_stmt_field_count(p->statement) == 0)
            continue;
        *had_rows = true;
        result->rows = 0;
        rc = read_rows(link, p, sink, deadline, &result->rows, rc, error);
        if (link->base.lost)
            return rc;
    } while ((more = run_stmt_next_result(link, p->statement, deadline)) == 0);
    if (more > 0) {
        int failed = fail_statement(link, p->statement, error);
        return rc < 0 ? rc : failed;
    }
    note_state(link);
    return rc;
}

/* Sends a statement whose values are bound, and reads what comes back. */
static int send_bound(struct mariadb_link *link, struct corm__prepared *p, struct corm__sink *sink,
                      int64_t deadline, struct corm__result *result, struct corm_error *error)
{
    bool had_rows = false;

    link->base.round_trips++;
    link->base.sent = true;
    if (run_execute(link, p->statement, deadline) != 0)
        return fail_statement(link, p->statement, error);
    int rc = read_results(link, p, sink, deadline, result, &had_rows, error);
    if (rc == 0 && !had_rows) {
        result->rows = matched(link, p->statement);
        result->generated = (int64_t)mysql_stmt_insert_id(p->statement);
    }
    return rc;
}

/* The guard of an upsert has two rows where the row that was met has another key (sql/statement.c). */
static int explain_upsert(struct corm_error *error)
{
    struct corm_error duplicate = {0};

    if (error->server_code != ER_SUBQUERY_NO_1_ROW)
        return error->code;
    corm__fail_server(&duplicate, CORM_DUPLICATE, ER_DUP_UNIQUE, error->sqlstate,
                      "the row has a value of another unique key that a row with another key has "
                      "(%u)",
                      ER_SUBQUERY_NO_1_ROW);
    *error = duplicate;
    return error->code;
}

/* The server does not tell the key of a row that it left as it was where the table has triggers; but it
 * knows. */
static int ask_key(struct mariadb_link *link, int64_t deadline, struct corm__result *result,
                   struct corm_error *error)
{
    char answers[ANSWERS_MAX][ANSWER_SIZE] = {{0}};
    int  rc = ask(link, "SELECT LAST_INSERT_ID()", deadline, answers, error);

    result->generated = strtoll(answers[0], NULL, 10);
    return rc;
}

static int link_execute(struct corm__link *base, struct corm__prepared *p,
                        const struct corm__statement *statement, struct corm__sink *sink,
                        int64_t deadline, struct corm__result *result, struct corm_error *error)
{
    struct mariadb_link *link = mariadb(base);
    int                  rc = check_size(link, size_of_binds(statement), error);
    unsigned int         columns = mysql_stmt_field_count(p->statement);

    if (statement->compound && columns == 0)
        columns = 1; /* of a generated key */
    *result = (struct corm__result){0};
    if (rc == 0)
        rc = bind_params(link, p, statement, error);
    if (rc == 0 && !make_room(p, columns)) /* now, or what the server has done could not be read */
        rc = corm__fail_memory(error, "rows");
    if (rc < 0)
        return rc;
    if (statement->compound)
        p->bound = NULL; /* the library forgets what was bound when there are several results */
    rc = send_bound(link, p, sink, deadline, result, error);
    if (statement->verb != CORM__UPSERT)
        return rc;
    if (rc < 0)
        return explain_upsert(error);
    return statement->id != NULL && result->generated == 0 ? ask_key(link, deadline, result, error)
                                                           : 0;
}

/* ---- Many executions ------------------------------------------------------------ */

_Static_assert(STMT_INDICATOR_NULL == 1, "the bytes of corm__array_column.nulls");

static bool is_null(const struct corm__array_column *c, size_t row)
{
    return c->nulls != NULL && c->nulls[row] != 0;
}

/* What some rows take in a packet, of which check_size() adds the head. */
static size_t size_of_rows(const struct corm__array *array, size_t first, size_t count)
{
    enum { TYPE = 2, INDICATOR = 1, NUMBER = 8 };
    size_t size = (size_t)array->column_count * (TYPE + count * INDICATOR);

    for (uint32_t i = 0; i < array->column_count; i++) {
        const struct corm__array_column *c = &array->columns[i];
        for (size_t row = first; row < first + count; row++) {
            if (is_null(c, row))
                continue;
            unsigned long n = c->sizes != NULL ? c->sizes[row] : NUMBER;
            size += n;
            if (c->sizes != NULL) /* the bytes that say so */
                size += n < 251 ? 1 : n < 1 << 16 ? 3 : n < 1 << 24 ? 4 : 9;
        }
    }
    return size;
}

static int bind_all(struct mariadb_link *link, struct corm__prepared *p,
                    const struct corm__array *array, struct corm_error *error)
{
    unsigned int rows = (unsigned int)array->rows; /* each has a byte in a packet that fits */

    for (uint32_t i = 0; i < array->column_count; i++) {
        const struct corm__array_column *c = &array->columns[i];
        MYSQL_BIND                      *b = &p->params[i];
        set_type(b, c->kind);
        b->buffer = unconst(c->values);
        b->length = unconst(c->sizes);
        b->u.indicator = unconst(c->nulls);
    }
    if (mysql_stmt_attr_set(p->statement, STMT_ATTR_ARRAY_SIZE, &rows) != 0 ||
        mysql_stmt_bind_param(p->statement, p->params) != 0)
        return fail_statement(link, p->statement, error);
    return 0;
}

static int bind_row(struct mariadb_link *link, struct corm__prepared *p,
                    const struct corm__array *array, size_t row, struct corm_error *error)
{
    for (uint32_t i = 0; i < array->column_count; i++) {
        const struct corm__array_column *c = &array->columns[i];
        MYSQL_BIND                      *b = &p->params[i];
        set_type(b, is_null(c, row) ? CORM_V_NULL : c->kind);
        if (c->sizes == NULL) { /* of all kinds of numbers, 8 bytes each */
            b->buffer = unconst((const int64_t *)c->values + row);
        } else {
            b->buffer = unconst(((const char *const *)c->values)[row]);
            b->buffer_length = c->sizes[row];
        }
    }
    if (mysql_stmt_bind_param(p->statement, p->params) != 0)
        return fail_statement(link, p->statement, error);
    return 0;
}

/* In one packet. The server itself prepares a statement that is stale again; where it gives that up,
 * rows of an UPDATE may have been written. */
static int send_all(struct mariadb_link *link, struct corm__prepared *p,
                    const struct corm__array *array, struct corm__sink *sink, int64_t deadline,
                    struct corm_error *error)
{
    struct corm__result ignored;
    unsigned int        single = 0;
    int                 rc = check_size(link, size_of_rows(array, 0, array->rows), error);

    if (rc == 0)
        rc = bind_all(link, p, array, error);
    link->meanwhile = array->meanwhile;
    link->meanwhile_arg = array->meanwhile_arg;
    if (rc == 0)
        rc = send_bound(link, p, sink, deadline, &ignored, error);
    link->meanwhile = NULL;
    (void)mysql_stmt_attr_set(p->statement, STMT_ATTR_ARRAY_SIZE, &single);
    if (rc == CORM__STALE_STATEMENT && error->server_code == ER_NEED_REPREPARE)
        rc = error->code = CORM_CONFLICT;
    return rc;
}

/* A trip for each row. */
static int send_each(struct mariadb_link *link, struct corm__prepared *p,
                     const struct corm__array *array, struct corm__sink *sink, int64_t deadline,
                     struct corm_error *error)
{
    struct corm__result ignored;
    int                 rc = 0;

    for (size_t row = 0; rc == 0 && row < array->rows; row++) {
        rc = check_size(link, size_of_rows(array, row, 1), error);
        if (rc == 0)
            rc = bind_row(link, p, array, row, error);
        if (rc == 0)
            rc = send_bound(link, p, sink, deadline, &ignored, error);
        if (rc == CORM__STALE_STATEMENT && row > 0)
            rc = error->code = CORM_CONFLICT;
    }
    return rc;
}

static int link_execute_array(struct corm__link *base, struct corm__prepared *p,
                              const struct corm__array *array, struct corm__sink *sink,
                              int64_t deadline, struct corm_error *error)
{
    struct mariadb_link *link = mariadb(base);
    int rc = corm__check_array(base, array, p->param_count, mysql_stmt_field_count(p->statement),
                               sink, error);

    if (rc < 0)
        return rc;
    p->bound = NULL; /* as for a compound: there may be several results */
    if (!make_room(p, mysql_stmt_field_count(p->statement)))
        return corm__fail_memory(error, "rows");
    rc = link->has_arrays ? send_all(link, p, array, sink, deadline, error)
                          : send_each(link, p, array, sink, deadline, error);
    p->bound = NULL;
    return rc;
}

const struct corm__driver corm__mariadb = {
    .name = "mariadb",
    .has_trips = true,
    .connect = link_connect,
    .close = link_close,
    .is_alive = link_is_alive,
    .begin_reset = link_begin_reset,
    .end_reset = link_end_reset,
    .disown = link_disown,
    .enter = link_enter,
    .prepare = link_prepare,
    .finalize = link_finalize,
    .execute = link_execute,
    .execute_array = link_execute_array,
    .end_session = link_end_session,
    .look = link_look,
    .catch_up = link_catch_up,
    .find_error = find_error,
    .control = link_control,
};
