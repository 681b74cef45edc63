/*
 * The address that EasyPost keys may be sent to: see address.h.
 *
 * Without TLS the keys would travel in the clear, so plain http stays within
 * the machine (a test's simulator).  The characters allowed in a host are so
 * few that libcurl cannot understand another host than we do.
 */
#include "shared/address.h"

#include <arpa/inet.h>
#include <stddef.h>
#include <string.h>

enum {
	HOST_MAX_BYTES = 255,
	PORT_MAX = 65535,
	PORT_MAX_BYTES = 5,
};

struct host {
	char name[HOST_MAX_BYTES + 1]; /* without brackets */
	bool is_v6;
	struct in6_addr v6; /* when it is */
};

/* The rest of the text behind its host, or NULL when that is none. */
static const char *
read_host(const char *text, struct host *host)
{
	static const char allowed[] =
	    "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789.-";
	size_t bytes;

	host->is_v6 = *text == '[';
	text += host->is_v6;
	bytes = strcspn(text, host->is_v6 ? "]" : ":/");
	if (bytes == 0 || bytes > HOST_MAX_BYTES)
		return NULL;
	memcpy(host->name, text, bytes);
	host->name[bytes] = '\0';
	text += bytes;
	if (!host->is_v6)
		return strspn(host->name, allowed) == bytes ? text : NULL;
	if (*text != ']' || inet_pton(AF_INET6, host->name, &host->v6) != 1)
		return NULL;
	return text + 1;
}

static bool
is_loopback(const struct host *host)
{
	struct in_addr v4;

	if (host->is_v6)
		return memcmp(&host->v6, &in6addr_loopback, sizeof(host->v6)) ==
		    0;
	return strcmp(host->name, "localhost") == 0 ||
	    (inet_pton(AF_INET, host->name, &v4) == 1 &&
		ntohl(v4.s_addr) >> 24 == 127);
}

/* The rest of the text behind its port, if it has one; NULL: a bad one. */
static const char *
read_port(const char *text)
{
	size_t bytes;
	size_t i;
	int port = 0;

	if (*text != ':')
		return text;
	text++;
	bytes = strspn(text, "0123456789");
	if (bytes == 0 || bytes > PORT_MAX_BYTES)
		return NULL;
	for (i = 0; i < bytes; i++)
		port = port * 10 + (text[i] - '0');
	return port >= 1 && port <= PORT_MAX ? text + bytes : NULL;
}

bool
address_is_allowed(const char *text)
{
	static const char https[] = "https://";
	static const char http[] = "http://";
	struct host host;
	bool has_tls = strncmp(text, https, sizeof(https) - 1) == 0;

	if (!has_tls && strncmp(text, http, sizeof(http) - 1) != 0)
		return false;
	text += has_tls ? sizeof(https) - 1 : sizeof(http) - 1;
	text = read_host(text, &host);
	if (text != NULL)
		text = read_port(text);
	if (text == NULL || (*text != '\0' && strcmp(text, "/") != 0))
		return false;
	return has_tls || is_loopback(&host);
}
