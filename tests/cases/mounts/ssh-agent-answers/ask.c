/* SPDX-License-Identifier: MIT */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

/* Asks the agent for its identities and prints the type of the answer and their number. */
int main(void)
{
	struct sockaddr_un at = {.sun_family = AF_UNIX};
	unsigned char answer[4096];
	snprintf(at.sun_path, sizeof(at.sun_path), "%s", getenv("SSH_AUTH_SOCK"));
	int fd = socket(AF_UNIX, SOCK_STREAM, 0);
	if (connect(fd, (struct sockaddr *)&at, sizeof(at)) < 0 || write(fd, "\0\0\0\1\13", 5) != 5)
		return perror("agent"), 1;
	if (recv(fd, answer, 9, MSG_WAITALL) != 9)
		return 1;
	printf("%d %d\n", answer[4], answer[8]);
	return 0;
}
