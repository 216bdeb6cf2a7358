/*
 * ip= and netconsole= of the command line, in the forms that Linux documents (nfsroot, netconsole):
 * people have them in their scripts.
 *
 * Fields are between colons; one that is empty keeps its default. A word that is not understood in
 * any of its fields is refused whole, so that half of a wrong one is never set.
 */
#include <linux/errno.h>
#include "kernel/lib/string.h"
#include "net/bootparam.h"

/* See bootparam.h. */
bool inet_parse(const char *text, size_t len, be32 *out)
{
	u32 addr = 0, parts = 0, digits = 0, part = 0;

	for (size_t i = 0; i <= len; i++) {
		if (i < len && char_is_digit(text[i])) {
			part = part * 10 + (u32)(text[i] - '0');
			if (++digits > 3 || part > 255)
				return false;
			continue;
		}
		if (!digits || (i < len && text[i] != '.') || ++parts > 4)
			return false;
		addr = addr << 8 | part;
		part = digits = 0;
	}
	*out = net32(addr);
	return parts == 4;
}

/* An address, or nothing. */
static bool field_addr(const char *at, size_t len, be32 *out)
{
	return !len || inet_parse(at, len, out);
}

static bool field_name(const char *at, size_t len, char *out, size_t size)
{
	if (len >= size)
		return false;
	memcpy(out, at, len);
	out[len] = '\0';
	return true;
}

static bool is_word(const char *at, size_t len, const char *word)
{
	return len == strlen(word) && !strncmp(at, word, len);
}

/* How to get what was not said. False: no such way. */
static bool method(const char *at, size_t len, struct ip_param *p)
{
	if (!len)
		return true;
	p->dhcp = is_word(at, len, "dhcp") || is_word(at, len, "on") || is_word(at, len, "any") ||
		  is_word(at, len, "both");
	return p->dhcp || is_word(at, len, "off") || is_word(at, len, "none");
}

static bool ip_field(u32 n, const char *at, size_t len, struct ip_param *p)
{
	switch (n) {
	case 0: return field_addr(at, len, &p->client);
	case 1: return field_addr(at, len, &p->server);
	case 2: return field_addr(at, len, &p->gateway);
	case 3: return field_addr(at, len, &p->mask);
	case 4: return field_name(at, len, p->host, sizeof(p->host));
	case 5: return field_name(at, len, p->dev, sizeof(p->dev));
	case 6: return method(at, len, p);
	case 7:
	case 8: return field_addr(at, len, &p->dns[n - 7]);
	case 9: return field_addr(at, len, &p->ntp);
	default: return false;
	}
}

/* See bootparam.h. Where neither an address nor a method is given, it is DHCP. */
int ip_param_parse(const char *text, struct ip_param *out)
{
	u32 mask;

	memset(out, 0, sizeof(*out));
	out->dhcp = true;
	if (!strchr(text, ':') && method(text, strlen(text), out))
		return 0;
	for (u32 n = 0;; n++) {
		size_t len = strcspn(text, ":");

		if (!ip_field(n, text, len, out))
			return -EINVAL;
		text += len;
		if (!*text)
			break;
		text++;
	}
	mask = net32(out->mask);
	if (mask && (~mask & (~mask + 1)))
		return -EINVAL;
	return 0;
}

static bool hex_digit(char c, u8 *v)
{
	c = char_to_lower(c);
	if (char_is_digit(c))
		*v = (u8)(*v << 4 | (c - '0'));
	else if (c >= 'a' && c <= 'f')
		*v = (u8)(*v << 4 | (c - 'a' + 10));
	else
		return false;
	return true;
}

static bool field_mac(const char *at, struct netconsole_param *p)
{
	if (!*at)
		return true;
	for (u32 i = 0; i < ETH_ALEN; i++, at += 3) {
		if (!hex_digit(at[0], &p->mac[i]) || !hex_digit(at[1], &p->mac[i]) ||
		    at[2] != (i == ETH_ALEN - 1 ? '\0' : ':'))
			return false;
	}
	p->has_mac = true;
	return true;
}

/* A port before '@', and an address behind it up to one of @ends; *text is moved there. */
static bool port_and_address(const char **text, const char *ends, u16 *port, be32 *addr)
{
	const char *at = *text;
	size_t len;
	u64 n;

	if (char_is_digit(*at)) {
		if (str_to_u64(at, &at, 10, &n) || !n || n > 65535)
			return false;
		*port = (u16)n;
	}
	if (*at++ != '@')
		return false;
	len = strcspn(at, ends);
	*text = at + len;
	return field_addr(at, len, addr);
}

/* See bootparam.h. */
int netconsole_param_parse(const char *text, struct netconsole_param *out)
{
	size_t len;

	memset(out, 0, sizeof(*out));
	out->lport = 6665;
	out->fport = 6666;
	out->extended = *text == '+';
	text += out->extended;
	if (!port_and_address(&text, "/,", &out->lport, &out->laddr))
		return -EINVAL;
	if (*text == '/') {
		len = strcspn(++text, ",");
		if (!field_name(text, len, out->dev, sizeof(out->dev)))
			return -EINVAL;
		text += len;
	}
	if (*text++ != ',' || !port_and_address(&text, "/", &out->fport, &out->faddr) ||
	    !out->faddr)
		return -EINVAL;
	return *text != '/' || field_mac(text + 1, out) ? 0 : -EINVAL;
}
