#pragma once
/*
 * The kernel's own versions of functions that the host's C library has too, under names of their
 * own.
 */
#define memcmp k_memcmp
#define memchr k_memchr
#define strlen k_strlen
#define strnlen k_strnlen
#define strcmp k_strcmp
#define strncmp k_strncmp
#define strcasecmp k_strcasecmp
#define strncasecmp k_strncasecmp
#define strchr k_strchr
#define strrchr k_strrchr
#define strstr k_strstr
#define strspn k_strspn
#define strcspn k_strcspn
#define strlcpy k_strlcpy
#define strlcat k_strlcat
#define snprintf k_snprintf
#define vsnprintf k_vsnprintf
