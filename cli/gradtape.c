/* cli/gradtape.c: the command line: `gradtape COMMAND ...`. */
#include <stdio.h>
#include <string.h>

#include "cli/command.h"
#include "gradtape.h"

static const command *const commands[] = {&command_check, &command_step, &command_lessons,
                                          &command_help};
enum { N_COMMANDS = sizeof commands / sizeof *commands };

static const command *find(const char *name) {
    for (int i = 0; i < N_COMMANDS; i++)
        if (strcmp(commands[i]->name, name) == 0) return commands[i];
    fprintf(stderr, "gradtape: there is no command \"%s\"; see `gradtape help`\n", name);
    return NULL;
}

static void list(FILE *out) {
    fputs("gradtape " GT_VERSION ": reverse-mode automatic differentiation\n\n"
          "usage: gradtape COMMAND ...\n\n",
          out);
    for (int i = 0; i < N_COMMANDS; i++)
        fprintf(out, "  %-8s %s\n", commands[i]->name, commands[i]->summary);
}

static int help(int argc, char **argv) {
    if (argc < 2) return list(stdout), 0;
    const command *c = find(argv[1]);
    if (!c) return EXIT_USAGE;
    fputs(c->help, stdout);
    return 0;
}

const command command_help = {"help", "what the commands do: gradtape help COMMAND",
                              "usage: gradtape help [COMMAND]\n", help};

int main(int argc, char **argv) {
    if (argc < 2) return list(stderr), EXIT_USAGE;
    if (strcmp(argv[1], "--help") == 0) return list(stdout), 0;
    if (strcmp(argv[1], "--version") == 0) return puts(GT_VERSION) < 0;
    const command *c = find(argv[1]);
    return c ? c->run(argc - 1, argv + 1) : EXIT_USAGE;
}
