/* cli/command.h: what a command of `gradtape` is. Each stands in a file of its own and in the table of gradtape.c. */
#ifndef GT_COMMAND_H
#define GT_COMMAND_H

typedef struct command {
    const char *name;
    const char *summary; /* one line for `gradtape help` */
    const char *help;    /* all of `gradtape help NAME` */
    /* argv[0] is the command's own name. Returns the exit status. */
    int (*run)(int argc, char **argv);
} command;

enum { EXIT_USAGE = 3 };

extern const command command_check, command_help, command_lessons, command_step;

#endif
