#!/usr/bin/env python3
"""groups.py - purchases in groups with corm, beside groups and single purchases written by hand.

    scripts/with-mariadb python3 bench/groups.py [--rounds N] [--quick] [--only SCENE]

One hot row, 1,000 products at random, SQLite, one buyer alone, and more and more of them in flight. The
programs buy the same from a fresh table with stock enough for all, with the same durability, and each
reads the tables back and ends with 1 where they disagree with what was told. A round runs each program
of a scene once, each round beginning with another one; the median of the rounds' ratios counts, and
least and greatest stand beside it. Nothing here asserts on time.
"""

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile

BUILD = os.environ.get("CORM_BUILD_DIR", "build")


def fail(why):
    sys.exit(f"groups.py: {why}")


def bench(name):
    return os.path.join(BUILD, "bench", name)


def answer_of(command):
    done = subprocess.run(command, stdout=subprocess.PIPE, text=True, timeout=600)
    if done.returncode != 0:
        shown = " ".join(part for part in command[1:] if "://" not in part)
        fail(f"{os.path.basename(command[0])} {shown} has failed")
    return json.loads(done.stdout)


def run(command):
    answer = answer_of(command + ["--json"])
    if not answer["invariant"] or answer["failed"]:
        fail(f"{os.path.basename(command[0])}: the tables disagree with what was told")
    return answer


def interleaved(rounds, contestants):
    """The answers of each, round by round; the first round warms up."""
    names = list(contestants)
    answers = {name: [] for name in names}
    for number in range(rounds + 1):
        turn = number % len(names)
        for name in names[turn:] + names[:turn]:
            answer = run(contestants[name])
            if number > 0:
                answers[name].append(answer)
    return answers


def of(answers, key):
    return [answer[key] for answer in answers]


def median(answers, key):
    return statistics.median(of(answers, key))


def show_rates(title, answers):
    print(f"\n{title}")
    for name, all_of in answers.items():
        line = f"  {name:28}{median(all_of, 'purchases_per_second'):12,.0f} /s"
        line += f"  p50 {median(all_of, 'p50_ms'):8.3f} ms  p99 {median(all_of, 'p99_ms'):8.3f} ms"
        if name != "corm":
            pairs = zip(
                of(answers["corm"], "purchases_per_second"), of(all_of, "purchases_per_second")
            )
            ratios = [corm / plain for corm, plain in pairs]
            line += (
                f"  corm is {statistics.median(ratios):.2f} of it"
                f" ({min(ratios):.2f}-{max(ratios):.2f})"
            )
        print(line, flush=True)


class Scenes:
    def __init__(self, url, folder, quick):
        self.url, self.folder = url, folder
        self.less = 20 if quick else 1

    def many(self, purchases):
        return ["--purchases", str(purchases // self.less)]

    def beside_connector_c(self, title, rounds, options, single, groups):
        to = ["--url", self.url] + options
        show_rates(
            title,
            interleaved(
                rounds,
                {
                    "corm": [bench("corm_group")] + to + self.many(groups),
                    "by hand, groups of 256": [bench("plain_group")] + to + self.many(groups),
                    "by hand, groups, 2 links": [bench("plain_group"), "--connections", "2"]
                    + to
                    + self.many(groups),
                    "by hand, one at a time": [bench("plain_purchase")]
                    + to
                    + ["--how", "prepared", "--connections", "4"]
                    + self.many(single),
                },
            ),
        )

    def hot(self, rounds):
        self.beside_connector_c("MariaDB, one hot row, 500 in flight", rounds, [], 6000, 200000)

    def random(self, rounds):
        options = ["--products", "1000"]
        self.beside_connector_c(
            "MariaDB, 1,000 products at random, 500 in flight", rounds, options, 12000, 100000
        )

    def sqlite(self, rounds):
        one, other = os.path.join(self.folder, "corm.db"), os.path.join(self.folder, "hand.db")
        show_rates(
            "SQLite, one hot row, 500 in flight",
            interleaved(
                rounds,
                {
                    "corm": [bench("corm_group"), "--url", "sqlite:" + one] + self.many(200000),
                    "by hand, groups of 256": [bench("sqlite_group"), "--file", other]
                    + self.many(200000),
                },
            ),
        )

    def alone(self, rounds):
        for url, name in ((self.url, "MariaDB"), ("sqlite:" + self.folder + "/one.db", "SQLite")):
            command = [bench("corm_alone"), "--url", url, "--purchases", str(3000 // self.less)]
            answers = [answer_of(command) for _ in range(rounds)]
            print(f"\n{name}, one buyer alone, p50")
            for way in ("lock", "key", "ticket"):
                times = [answer[way + "_p50_us"] for answer in answers]
                ratios = [time / answer["lock_p50_us"] for time, answer in zip(times, answers)]
                print(
                    f"  {way:28}{statistics.median(times):12.1f} us"
                    f"  {statistics.median(ratios):.3f} of lock"
                    f" ({min(ratios):.3f}-{max(ratios):.3f})",
                    flush=True,
                )

    def steps(self, rounds):
        for url, name in ((self.url, "MariaDB"), ("sqlite:" + self.folder + "/steps.db", "SQLite")):
            contestants = {
                in_flight: [bench("corm_group"), "--url", url, "--in-flight", str(in_flight)]
                + self.many(min(3000 * in_flight, 200000))
                for in_flight in (1, 10, 100, 1000, 10000)
            }
            answers = interleaved(rounds, contestants)
            best = 0
            print(f"\n{name}, one hot row, so many in flight")
            for in_flight, all_of in answers.items():
                rate = median(all_of, "purchases_per_second")
                line = f"  {in_flight:<28,}{rate:12,.0f} /s  p99 {median(all_of, 'p99_ms'):9.3f} ms"
                if best > 0:
                    line += f"  {rate / best:.2f} of the best before it"
                print(line, flush=True)
                best = max(best, rate)


def main():
    names = ["hot", "random", "sqlite", "alone", "steps"]
    parser = argparse.ArgumentParser(description="purchases in groups beside those by hand")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--quick", action="store_true", help="1 short round: does it work?")
    parser.add_argument("--only", choices=names)
    options = parser.parse_args()
    rounds = 1 if options.quick else options.rounds
    url = os.environ.get("CORM_TEST_MARIADB_URL")
    if not url:
        fail("there is no server: run it under scripts/with-mariadb")
    with tempfile.TemporaryDirectory() as folder:
        scenes = Scenes(url, folder, options.quick)
        for name in [options.only] if options.only else names:
            getattr(scenes, name)(rounds)


main()
