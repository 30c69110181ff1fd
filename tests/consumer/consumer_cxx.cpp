// The same program as C++: the headers must serve both languages.
#include "consumer.c"
