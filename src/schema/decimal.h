/* schema/decimal.h -- exact numbers as digits. Never through a double. */
#ifndef CORM_SCHEMA_DECIMAL_H
#define CORM_SCHEMA_DECIMAL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* A column is decimal(length, scale): `length` digits, `scale` of them behind the point. 65 and 38
 * are the limits of MariaDB; SQLite holds what fits into 64 bits. */
enum { CORM__DECIMAL_MAX = 65, CORM__SCALE_MAX = 38, CORM__DECIMAL_MAX_SQLITE = 18 };

enum { CORM__DECIMAL_SIZE = CORM__DECIMAL_MAX + 4 }; /* a sign, "0.", and NUL */

enum corm__decimal_fault {
    CORM__DECIMAL_FITS,
    CORM__DECIMAL_NO_NUMBER, /* anything but digits, with a `-` in front, and digits behind a `.` */
    CORM__DECIMAL_TOO_LARGE, /* more digits in front of the point than length - scale */
    CORM__DECIMAL_TOO_PRECISE /* more digits behind it than scale, which are not 0 */
};

/* The one form of a number: "-12.50" for decimal(4, 2) and any of "-12.5", "-012.500". Zero has no
 * sign. `form` is set where it fits. */
enum corm__decimal_fault corm__decimal_form(const char *text, size_t size, uint32_t length,
                                            uint32_t scale, char form[static CORM__DECIMAL_SIZE]);

/* A number in its one form, of up to 18 digits, times 10^scale; and back. */
int64_t corm__decimal_scaled(const char *form);
void corm__decimal_of_scaled(int64_t scaled, uint32_t scale, char text[static CORM__DECIMAL_SIZE]);

/* 10^digits; up to 18. */
int64_t corm__power_of_ten(uint32_t digits);

#endif
