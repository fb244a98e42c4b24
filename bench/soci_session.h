/* soci_session.h -- how the bench's programs in C++ open a session of SOCI. */
#ifndef BENCH_SOCI_SESSION_H
#define BENCH_SOCI_SESSION_H

#include <memory>
#include <soci/mysql/soci-mysql.h>
#include <soci/soci.h>
#include <string>

extern "C" {
#include "shop_mariadb.h"
}

inline std::string session_text(const struct target &target)
{
    return std::string("host=") + target.host + " port=" + std::to_string(target.port) + " db='" +
           target.database + "' user='" + target.user + "' pass='" + target.password +
           "' charset=utf8mb4";
}

#endif
