// bench/soci_statements.cc -- the statement bench with SOCI, as its documentation shows it: see statements.h. Many rows go
// through vectors of a thousand; SOCI's backend of MySQL makes a statement of each row that it inserts.
#include "soci_session.h"
#include "statements.h"

#include <vector>

extern "C" const char *const program = "soci_statements";

namespace {

enum { CHUNK = 1000 };

const char *text_or_null(const std::string &text, soci::indicator indicator)
{
    return indicator == soci::i_null ? nullptr : text.c_str();
}

void point(soci::session &sql, std::uint32_t n)
{
    int             key = key_of(0), id = 0, stock = 0;
    double          price = 0;
    std::string     name, note;
    soci::indicator has_note = soci::i_ok;
    std::uint64_t   all = 0;
    soci::statement read = (sql.prepare << "SELECT id, name, stock, price, note FROM item WHERE id = :id",
                            soci::use(key), soci::into(id), soci::into(name), soci::into(stock), soci::into(price),
                            soci::into(note, has_note));
    double          begin = now();

    for (std::uint32_t i = 1; i <= n; i++) {
        key = key_of(i);
        if (!read.execute(true))
            fail("point", "there is no such row");
        all += sum_of(id, name.c_str(), stock, price, text_or_null(note, has_note));
    }
    report(now() - begin, n, all);
}

/* A thousand rows, column by column. */
struct chunk {
    std::vector<int>             id, stock;
    std::vector<double>          price;
    std::vector<std::string>     name, note;
    std::vector<soci::indicator> has_note;

    void resize(std::size_t n)
    {
        id.resize(n);
        stock.resize(n);
        price.resize(n);
        name.resize(n);
        note.resize(n);
        has_note.resize(n);
    }

    std::uint64_t sum() const
    {
        std::uint64_t all = 0;
        for (std::size_t i = 0; i < id.size(); i++)
            all += sum_of(id[i], name[i].c_str(), stock[i], price[i], text_or_null(note[i], has_note[i]));
        return all;
    }
};

void fetch(soci::session &sql, std::uint32_t n)
{
    struct chunk  rows;
    int           last = static_cast<int>(n);
    std::uint64_t all = 0;
    std::size_t   count = 0;
    double        begin = now();

    rows.resize(CHUNK);
    soci::statement read =
        (sql.prepare << "SELECT id, name, stock, price, note FROM item WHERE id <= :last ORDER BY id", soci::use(last),
         soci::into(rows.id), soci::into(rows.name), soci::into(rows.stock), soci::into(rows.price),
         soci::into(rows.note, rows.has_note));
    read.execute();
    while (read.fetch()) {
        all += rows.sum();
        count += rows.id.size();
        rows.resize(CHUNK);
    }
    if (count != n)
        fail("fetch", "not as many rows as there should be");
    report(now() - begin, n, all);
}

void fill(struct chunk &rows, std::uint32_t first)
{
    char name[ITEM_NAME_SIZE], note[NOTE_SIZE];

    for (std::size_t i = 0; i < rows.id.size(); i++) {
        auto        id = static_cast<std::int32_t>(first + i);
        const char *text = note_of(id, note);
        rows.id[i] = id;
        rows.name[i] = name_of(id, name);
        rows.stock[i] = stock_of(id);
        rows.price[i] = price_of(id);
        rows.has_note[i] = text != nullptr ? soci::i_ok : soci::i_null;
        rows.note[i] = text != nullptr ? text : "";
    }
}

/* Into a table of its own: the one of the others has to stay whole. */
void bulk(soci::session &sql, std::uint32_t n)
{
    struct chunk  rows;
    std::uint64_t all = 0;

    sql << "DROP TABLE IF EXISTS item_by_soci";
    sql << "CREATE TABLE item_by_soci LIKE item";
    double            begin = now();
    soci::transaction load(sql);
    for (std::uint32_t done = 0; done < n; done += static_cast<std::uint32_t>(rows.id.size())) {
        rows.resize(std::min<std::size_t>(CHUNK, n - done));
        fill(rows, done + 1);
        sql << "INSERT INTO item_by_soci (id, name, stock, price, note) VALUES (:id, :name, :stock, :price, :note)",
            soci::use(rows.id), soci::use(rows.name), soci::use(rows.stock), soci::use(rows.price),
            soci::use(rows.note, rows.has_note);
        all += rows.sum();
    }
    load.commit();
    report(now() - begin, n, all);
    sql << "DROP TABLE item_by_soci";
}

} // namespace

int main(int argc, char **argv)
try {
    if (argc != 4)
        fail("usage", "soci_statements URL point|fetch|bulk N");
    struct target target = target_of(argv[1]);
    soci::session sql(soci::mysql, session_text(target));
    auto          n = static_cast<std::uint32_t>(std::strtoul(argv[3], nullptr, 10));
    std::string   what = argv[2];

    if (what == "point")
        point(sql, n);
    else if (what == "fetch")
        fetch(sql, n);
    else
        bulk(sql, n);
    return 0;
} catch (const std::exception &error) {
    fail("soci_statements", error.what());
}
