/* plain.c -- the control: a client that is not careful, by Connector/C alone. check.py shows with it that
 * the rogue gets what corm does not give.
 *
 *     plain PORT PASSWORD infile    LOAD DATA LOCAL is allowed
 *     plain PORT PASSWORD auth      any way to prove who one is
 *     plain PORT PASSWORD enforce   TLS is wanted, and not verified, which the library takes for a wish
 *     plain PORT PASSWORD trust     TLS, and any certificate will do */
#include <mysql.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int main(int argc, char **argv)
{
    MYSQL       *mysql = mysql_init(NULL);
    unsigned int yes = 1, protocol = MYSQL_PROTOCOL_TCP;
    my_bool      on = 1, off = 0;

    if (argc != 4 || mysql == NULL)
        return 2;
    mysql_optionsv(mysql, MYSQL_OPT_PROTOCOL, &protocol);
    if (strcmp(argv[3], "infile") == 0)
        mysql_optionsv(mysql, MYSQL_OPT_LOCAL_INFILE, &yes);
    if (strcmp(argv[3], "enforce") == 0 || strcmp(argv[3], "trust") == 0)
        mysql_optionsv(mysql, MYSQL_OPT_SSL_ENFORCE, &on);
    if (strcmp(argv[3], "trust") == 0)
        mysql_optionsv(mysql, MYSQL_OPT_SSL_VERIFY_SERVER_CERT, &off);
    if (mysql_real_connect(mysql, "127.0.0.1", "user", argv[2], "shop",
                           (unsigned int)strtoul(argv[1], NULL, 10), NULL, 0) == NULL ||
        mysql_query(mysql, "SET @control = 1") != 0)
        printf("%u %s\n", mysql_errno(mysql), mysql_error(mysql));
    else
        puts("fine");
    mysql_close(mysql);
    return 0;
}
