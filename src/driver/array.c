/* driver/array.c -- what drivers share of running a statement for many rows. */
#include "driver/array.h"

#include <corm/arena.h>

static int check_column(const struct corm__array *array, uint32_t i, struct corm_error *error)
{
    const struct corm__array_column *c = &array->columns[i];
    bool                             bytes = false;

    switch (c->kind) {
    case CORM_V_INT:
    case CORM_V_UINT:
    case CORM_V_REAL: break;
    case CORM_V_TEXT:
    case CORM_V_DECIMAL:
    case CORM_V_BLOB:
    case CORM_V_UUID: bytes = true; break;
    default:
        return corm__fail(error, CORM_MISUSE,
                          "column %u of an array is of no kind that can be sent", i + 1);
    }
    if (bytes != (c->sizes != NULL))
        return corm__fail(error, CORM_MISUSE, "column %u of an array has %s", i + 1,
                          bytes ? "texts without their sizes" : "numbers with sizes");
    for (size_t row = 0; bytes && row < array->rows; row++) {
        bool null = c->nulls != NULL && c->nulls[row] != 0;
        if (!null && c->kind == CORM_V_UUID && c->sizes[row] != sizeof(struct corm_uuid))
            return corm__fail(error, CORM_MISUSE, "column %u of an array has a UUID of %lu bytes",
                              i + 1, c->sizes[row]);
        if (c->sizes[row] > UINT32_MAX)
            return corm__fail(error, CORM_TOO_LARGE,
                              "column %u of an array has a text of %lu bytes", i + 1,
                              c->sizes[row]);
    }
    return 0;
}

int corm__check_array(const struct corm__link *link, const struct corm__array *array,
                      unsigned long param_count, unsigned int result_columns,
                      const struct corm__sink *sink, struct corm_error *error)
{
    int rc = 0;

    if (!link->mode.trx)
        return corm__fail(error, CORM_MISUSE, "an array outside a transaction");
    if (array->rows == 0 || array->column_count == 0)
        return corm__fail(error, CORM_MISUSE, "an array of %zu rows and %u columns", array->rows,
                          array->column_count);
    if (array->column_count != param_count)
        return corm__fail(error, CORM_MISUSE, "the statement has %lu `?` and the array %u columns",
                          param_count, array->column_count);
    if (sink == NULL && result_columns > 0)
        return corm__fail(error, CORM_MISUSE, "a statement without rows gives rows");
    for (uint32_t i = 0; rc == 0 && i < array->column_count; i++)
        rc = check_column(array, i, error);
    return rc;
}

struct corm_value corm__array_value(const struct corm__array_column *column, size_t row)
{
    struct corm_value v = {.kind = column->kind};

    if (column->nulls != NULL && column->nulls[row] != 0) {
        v.kind = CORM_V_NULL;
        return v;
    }
    switch (v.kind) {
    case CORM_V_INT: v.as.i = ((const int64_t *)column->values)[row]; break;
    case CORM_V_UINT: v.as.u = ((const uint64_t *)column->values)[row]; break;
    case CORM_V_REAL: v.as.r = ((const double *)column->values)[row]; break;
    default:
        if (v.kind == CORM_V_UUID)
            v.kind = CORM_V_BLOB; /* the array's own bytes, which outlive this value */
        v.as.s = ((const char *const *)column->values)[row];
        v.size = (uint32_t)column->sizes[row];
    }
    return v;
}

/* A column has one kind: an unsigned number beyond 63 bits makes all of it unsigned. */
static enum corm_value_kind kind_of(const struct corm_value *values, size_t stride, size_t rows)
{
    enum corm_value_kind kind = CORM_V_NULL;

    for (size_t i = 0; i < rows; i++) {
        enum corm_value_kind k = values[i * stride].kind;
        if (k != CORM_V_NULL && (kind == CORM_V_NULL || k == CORM_V_UINT))
            kind = k;
    }
    return kind == CORM_V_NULL ? CORM_V_INT : kind;
}

int corm__array_fill(struct corm_arena *arena, const struct corm_value *values, size_t stride,
                     size_t rows, struct corm__array_column *column, struct corm_error *error)
{
    union cell {
        int64_t     number;
        const void *bytes;
    };
    union cell          *cells = corm_arena_alloc(arena, rows * sizeof(*cells));
    unsigned long       *sizes = corm_arena_alloc(arena, rows * sizeof(*sizes));
    char                *nulls = corm_arena_alloc(arena, rows);
    enum corm_value_kind kind = kind_of(values, stride, rows);
    bool                 number = kind == CORM_V_INT || kind == CORM_V_UINT || kind == CORM_V_REAL;
    bool                 any = false;

    if (cells == NULL || sizes == NULL || nulls == NULL)
        return corm__fail_memory(error, "an array");
    for (size_t i = 0; i < rows; i++) {
        const struct corm_value *v = &values[i * stride];
        bool                     uuid = v->kind == CORM_V_UUID;
        bool widened = kind == CORM_V_UINT && v->kind == CORM_V_INT && v->as.i >= 0;
        if (v->kind != kind && v->kind != CORM_V_NULL && !widened)
            return corm__fail(error, CORM_MISUSE, "a column of an array has values of two kinds");
        nulls[i] = v->kind == CORM_V_NULL;
        any = any || nulls[i] != 0;
        sizes[i] = nulls[i] != 0 ? 0 : uuid ? sizeof(v->as.uuid) : v->size;
        if (number)
            cells[i].number = v->as.i; /* of a double: its bits */
        else
            cells[i].bytes = uuid ? v->as.uuid.bytes : v->as.p;
    }
    *column = (struct corm__array_column){
        .kind = kind,
        .values = cells,
        .sizes = number ? NULL : sizes,
        .nulls = any ? nulls : NULL,
    };
    return 0;
}
