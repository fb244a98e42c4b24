// soci_purchase: purchases written with SOCI, a statement a round trip; a session and its statements for each thread.
//
// --connections threads take the next purchase until there are none left. A deadlock or a lock wait timeout
// rolls back and tries again. SOCI writes the values into the text of a statement, so nothing is prepared on the server.
#include "soci_session.h"

extern "C" {
#include "shop_mariadb.h"
}

#include <atomic>
#include <cstdio>
#include <thread>
#include <vector>

extern "C" const char *const program = "soci_purchase";

namespace {

enum { MAX_CONNECTIONS = 1000, MAX_ATTEMPTS = 100 };
enum outcome { BOUGHT, REFUSED, FAILED };

class buyer {
    soci::session   sql;
    int             id = 0, qty = 0, stock = 0;
    soci::statement lock, update, insert;

    outcome attempt(const struct wish &wish)
    {
        soci::transaction purchase(sql); // rolls back what is not committed

        id = wish.product;
        qty = wish.qty;
        if (!lock.execute(true))
            die("there is no product %d", id);
        if (stock < qty)
            return REFUSED;
        stock -= qty;
        update.execute(true);
        insert.execute(true);
        purchase.commit();
        return BOUGHT;
    }

  public:
    explicit buyer(const struct target &target)
        : sql(soci::mysql, session_text(target)),
          lock((sql.prepare << "SELECT stock FROM product WHERE id = :id FOR UPDATE", soci::use(id), soci::into(stock))),
          update((sql.prepare << "UPDATE product SET stock = :stock WHERE id = :id", soci::use(stock), soci::use(id))),
          insert((sql.prepare << "INSERT INTO `order` (user_id, product_id, qty) VALUES (1, :id, :qty)", soci::use(id),
                  soci::use(qty)))
    {
    }

    outcome buy(const struct wish &wish)
    {
        for (int i = 0; i < MAX_ATTEMPTS; i++) {
            try {
                return attempt(wish);
            } catch (const soci::mysql_soci_error &error) {
                if (error.err_num_ == DEADLOCK || error.err_num_ == LOCK_WAIT_TIMEOUT)
                    continue;
                std::fprintf(stderr, "%s: %s\n", program, error.what());
                return FAILED;
            }
        }
        return FAILED;
    }
};

struct run {
    const struct demand      &demand;
    std::vector<struct wish>  wishes;
    std::vector<std::uint64_t> latency_ns;
    std::atomic<int>          next{0}, bought{0}, refused{0}, failed{0};
    std::atomic<long long>    pieces{0};

    explicit run(const struct demand &asked)
        : demand(asked), wishes(static_cast<std::size_t>(asked.purchases)), latency_ns(wishes.size())
    {
        std::uint64_t random = mix(demand.seed) | 1;
        for (int i = 0; i < demand.purchases; i++)
            wishes[static_cast<std::size_t>(i)] = wish_for(&demand, &random, i, demand.purchases);
    }

    void work(buyer &one)
    {
        std::size_t i;
        while ((i = static_cast<std::size_t>(next++)) < wishes.size()) {
            std::uint64_t began = now_ns();
            switch (one.buy(wishes[i])) {
            case BOUGHT:
                bought++;
                pieces += wishes[i].qty;
                break;
            case REFUSED: refused++; break;
            case FAILED: failed++; break;
            }
            latency_ns[i] = now_ns() - began;
        }
    }

    struct totals all(const struct target &target, int connections)
    {
        std::vector<std::unique_ptr<buyer>> buyers;
        std::vector<std::thread>            threads;
        struct totals                       t = {};

        for (int i = 0; i < connections; i++)
            buyers.emplace_back(new buyer(target));
        std::uint64_t began = now_ns();
        for (auto &one : buyers)
            threads.emplace_back([this, &one] { work(*one); });
        for (auto &thread : threads)
            thread.join();
        t.seconds = static_cast<double>(now_ns() - began) / 1e9;
        take_percentiles(&t, latency_ns.data(), latency_ns.size());
        t.bought = bought;
        t.refused = refused;
        t.failed = failed;
        t.pieces = pieces;
        return t;
    }
};

} // namespace

int main(int argc, char **argv)
try {
    struct demand     demand = usual_demand();
    int               connections = 16;
    const char       *address = nullptr;
    struct option_row rows[3] = {};

    rows[0].name = "url";
    rows[0].value = "URL";
    rows[0].about = "mariadb://USER:PASSWORD@HOST:PORT/DATABASE";
    rows[0].text = &address;
    rows[1].name = "connections";
    rows[1].value = "C";
    rows[1].about = "sessions, and as many threads (16)";
    rows[1].number = &connections;
    rows[1].low = 1;
    rows[1].high = MAX_CONNECTIONS;
    read_options(argc, argv, "--url URL [options]", rows, &demand);

    struct target target = target_of(address);
    MYSQL        *db = connect_to(&target);
    create_tables(db);
    add_products(db, demand.products, demand.stock);
    struct ledger before = read_ledger(db, demand.stock);
    struct run    run(demand);
    struct totals t = run.all(target, connections);
    struct ledger after = read_ledger(db, demand.stock);
    t.invariant = ledger_agrees(&before, &after, &t);
    mysql_close(db);
    struct asked asked = {"SOCI", connections, &demand};
    print_totals(&asked, &t);
    return t.invariant && t.failed == 0 ? 0 : 1;
} catch (const std::exception &error) {
    die("%s", error.what());
}
