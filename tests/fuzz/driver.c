/* tests/fuzz/driver.c -- runs a fuzz target where there is no libFuzzer: the inputs that are kept, then
 * inputs at random.
 *
 *     fuzz-NAME [--seconds=N] [--seed=N] [FILE OR FOLDER...]
 *
 * An input at random is one of those given, or of those made before, with a few changes. The target
 * runs in a child, which writes each input into memory that it shares with its parent: whatever
 * ends it, a check, a sanitizer, a signal or a hang, the parent has the input and writes it to
 * fuzz-NAME-SEED.input. The seed is printed; the same seed makes the same inputs. */
#include "fuzz.h"

#include <dirent.h>
#include <errno.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { SIZE_MAX_INPUT = 4096, POOL_MAX = 4096, HANG_SECONDS = 60 };

struct input {
    size_t  size;
    uint8_t data[SIZE_MAX_INPUT];
};

/* What the child tells. */
struct shared {
    volatile uint64_t runs;
    struct input      input; /* that is running */
};

static struct shared *shared;
static struct input  *pool; /* POOL_MAX of them */
static size_t         pool_count;
static uint64_t       state; /* of the random numbers */

/* splitmix64 (Steele, Lea, Flood, 2014). */
static uint64_t next_random(void)
{
    uint64_t z = state += UINT64_C(0x9E3779B97F4A7C15);

    z = (z ^ z >> 30) * UINT64_C(0xBF58476D1CE4E5B9);
    z = (z ^ z >> 27) * UINT64_C(0x94D049BB133111EB);
    return z ^ z >> 31;
}

static size_t below(size_t n)
{
    return (size_t)(next_random() % n);
}

/* ---- Inputs that are kept -------------------------------------------------- */

static void keep(const struct input *input)
{
    pool[pool_count < POOL_MAX ? pool_count++ : below(POOL_MAX)] = *input;
}

static void load_file(const char *path)
{
    struct input input = {0};
    FILE        *file = fopen(path, "rb");

    if (file == NULL) {
        perror(path);
        exit(2);
    }
    input.size = fread(input.data, 1, sizeof(input.data), file);
    (void)fclose(file);
    keep(&input);
}

static void load(const char *path)
{
    struct stat    st;
    DIR           *folder = stat(path, &st) == 0 && S_ISDIR(st.st_mode) ? opendir(path) : NULL;
    struct dirent *entry;

    if (folder == NULL) {
        load_file(path);
        return;
    }
    while ((entry = readdir(folder)) != NULL) {
        char file[4096];
        if (entry->d_name[0] == '.')
            continue;
        if (snprintf(file, sizeof(file), "%s/%s", path, entry->d_name) < (int)sizeof(file))
            load_file(file);
    }
    (void)closedir(folder);
}

/* ---- Changes --------------------------------------------------------------- */

/* Puts `size` bytes in at `at`; what does not fit falls off the end. */
static void insert(struct input *input, size_t at, const void *data, size_t size)
{
    size_t behind = input->size - at;

    if (size > sizeof(input->data) - at)
        size = sizeof(input->data) - at;
    if (behind > sizeof(input->data) - at - size)
        behind = sizeof(input->data) - at - size;
    memmove(input->data + at + size, input->data + at, behind);
    memcpy(input->data + at, data, size);
    input->size = at + size + behind;
}

static void cut_out(struct input *input, size_t at, size_t size)
{
    if (size > input->size - at)
        size = input->size - at;
    memmove(input->data + at, input->data + at + size, input->size - at - size);
    input->size -= size;
}

static void insert_random(struct input *input, size_t at)
{
    uint8_t some[32];
    size_t  size = 1 + below(below(4) == 0 ? sizeof(some) : 4);

    for (size_t i = 0; i < size; i++)
        some[i] = (uint8_t)next_random();
    insert(input, at, some, size);
}

static void insert_token(struct input *input, size_t at)
{
    size_t n = 0;

    while (fuzz_tokens[n] != NULL)
        n++;
    if (n == 0)
        return;
    const char *token = fuzz_tokens[below(n)];
    insert(input, at, token, strlen(token));
}

/* A piece of another input, or of the same. */
static void insert_piece(struct input *input, size_t at)
{
    const struct input *from = &pool[below(pool_count)];
    uint8_t             piece[64];

    if (from->size == 0)
        return;
    size_t begin = below(from->size), size = 1 + below(sizeof(piece));
    if (size > from->size - begin)
        size = from->size - begin;
    memcpy(piece, from->data + begin, size);
    insert(input, at, piece, size);
}

static void change(struct input *input)
{
    size_t at = below(input->size + 1);

    switch (below(8)) {
    case 0: insert_random(input, at); break;
    case 1: insert_token(input, at); break;
    case 2: insert_piece(input, at); break;
    case 3: cut_out(input, at, 1 + below(below(4) == 0 ? 64 : 4)); break;
    case 4: input->size = at; break;
    case 5:
        if (at < input->size)
            input->data[at] ^= (uint8_t)(1U << below(8));
        break;
    case 6:
        if (at < input->size)
            input->data[at] = (uint8_t)(input->data[at] + below(9) - 4);
        break;
    default:
        if (at < input->size)
            input->data[at] = (uint8_t)next_random();
    }
}

static void make_input(struct input *input)
{
    *input = pool[below(pool_count)];
    if (below(16) == 0) /* altogether at random */
        for (input->size = below(257), state += 1; input->size > 0 && below(200) != 0;) {
            for (size_t i = 0; i < input->size; i++)
                input->data[i] = (uint8_t)next_random();
            break;
        }
    for (size_t n = 1 + below(6); n > 0; n--)
        change(input);
    if (below(8) == 0)
        keep(input);
}

/* ---- The child --------------------------------------------------------------- */

static void run_input(const struct input *input)
{
    shared->input = *input;
    (void)alarm(HANG_SECONDS);
    /* A copy of its own size, so that a sanitizer sees a byte too many being read. */
    uint8_t *data = malloc(input->size > 0 ? input->size : 1);
    CHECK(data != NULL, "no memory");
    memcpy(data, input->data, input->size);
    (void)LLVMFuzzerTestOneInput(data, input->size);
    free(data);
    shared->runs++;
}

static void run_all(time_t seconds)
{
    static const struct input nothing;
    static struct input       input;
    size_t                    kept = pool_count;
    time_t                    end = time(NULL) + seconds;

    run_input(&nothing);
    for (size_t i = 0; i < kept; i++) {
        input = pool[i];
        run_input(&input);
    }
    if (kept == 0)
        keep(&nothing);
    while (time(NULL) < end) {
        make_input(&input);
        run_input(&input);
    }
    (void)alarm(0);
}

/* ---- The parent ---------------------------------------------------------------- */

static const char *base_name(const char *path)
{
    const char *slash = strrchr(path, '/');

    return slash != NULL ? slash + 1 : path;
}

static void keep_failed(const char *name, unsigned long long seed)
{
    char  path[256];
    FILE *file;

    (void)snprintf(path, sizeof(path), "%s-%llu.input", name, seed);
    file = fopen(path, "wb");
    if (file == NULL) {
        perror(path);
        return;
    }
    (void)fwrite(shared->input.data, 1, shared->input.size, file);
    (void)fclose(file);
    (void)fprintf(stderr, "the input is in %s: run %s --seconds=0 %s, and put it into the corpus\n",
                  path, name, path);
}

static int wait_for(pid_t child)
{
    int status = 0;

    while (waitpid(child, &status, 0) < 0)
        if (errno != EINTR)
            return -1;
    return status;
}

int main(int argc, char **argv)
{
    const char        *name = base_name(argv[0]);
    time_t             seconds = 5;
    unsigned long long seed = (unsigned long long)time(NULL) * 100000 + (unsigned)getpid() % 100000;
    struct timespec    begin, end;

    pool = calloc(POOL_MAX, sizeof(*pool));
    shared = mmap(NULL, sizeof(*shared), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    CHECK(pool != NULL && shared != MAP_FAILED, "no memory");
    for (int i = 1; i < argc; i++) {
        if (strncmp(argv[i], "--seconds=", 10) == 0)
            seconds = (time_t)strtol(argv[i] + 10, NULL, 10);
        else if (strncmp(argv[i], "--seed=", 7) == 0)
            seed = strtoull(argv[i] + 7, NULL, 10);
        else
            load(argv[i]);
    }
    state = seed;
    (void)printf("%s --seed=%llu, %zu inputs kept\n", name, seed, pool_count);
    (void)fflush(stdout);
    (void)clock_gettime(CLOCK_MONOTONIC, &begin);
    pid_t child = fork();
    if (child == 0) {
        run_all(seconds);
        exit(0); /* not _exit(): leaks are looked for */
    }
    int status = child > 0 ? wait_for(child) : -1;
    (void)clock_gettime(CLOCK_MONOTONIC, &end);
    (void)printf("%s: %llu runs in %lld s\n", name, (unsigned long long)shared->runs,
                 (long long)(end.tv_sec - begin.tv_sec));
    if (status == 0)
        return 0;
    if (WIFSIGNALED(status))
        (void)fprintf(stderr, "%s: ended by signal %d%s\n", name, WTERMSIG(status),
                      WTERMSIG(status) == SIGALRM ? ", one input took too long" : "");
    keep_failed(name, seed);
    return 1;
}
