/* step/page_frame.c: the beginning and the end of every page. A page asks nothing of any network, which its content
 * policy enforces: no script, style, image or font but those in the file. */
#include "step/page.h"

#include <string.h>

#include "step/circuit_svg.h"

static bool is_korean(const gt_page_options *o) {
    return o->language && strcmp(o->language, "ko") == 0;
}

void gt__page_begin(const gt_page_options *o, const char *const *styles, FILE *out) {
    const char *title = o->title ? o->title : "gradtape";
    fprintf(out,
            "<!DOCTYPE html>\n<html lang=\"%s\">\n<head>\n<meta charset=\"utf-8\">\n"
            "<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n"
            "<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; "
            "script-src 'unsafe-inline'; style-src 'unsafe-inline'; img-src data:\">\n"
            "<link rel=\"icon\" href=\"data:,\">\n<title>",
            is_korean(o) ? "ko" : "en");
    gt__xml_text(title, out);
    fputs("</title>\n<style>", out);
    for (int i = 0; styles[i]; i++) fputs(styles[i], out);
    fputs("</style>\n</head>\n<body>\n<header><h1>", out);
    gt__xml_text(title, out);
    fputs("</h1></header>\n<main>\n", out);
    if (o->formula && *o->formula) {
        fputs("<p class=\"lead\"><code>", out);
        gt__xml_text(o->formula, out);
        fputs("</code></p>\n", out);
    }
    if (o->text && *o->text) {
        fputs("<p class=\"lead\">", out);
        gt__xml_text(o->text, out);
        fputs("</p>\n", out);
    }
}

void gt__page_data(FILE *out) {
    fputs("</main>\n<script type=\"application/json\" id=\"data\">", out);
}

void gt__page_end(const char *const *scripts, FILE *out) {
    fputs("</script>\n<script>\n", out);
    for (int i = 0; scripts[i]; i++) fputs(scripts[i], out);
    fputs("</script>\n</body>\n</html>\n", out);
}
