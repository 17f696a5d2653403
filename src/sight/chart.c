/*
 * chart.c
 *		router.chart: how large the children of a route are, drawn in lines of text.
 *
 * Where the outermost ranges are dates, time goes from left to right: a column for
 * each unit of the calendar, the finest that children have and the width can hold.
 * Else each child is a bar, up to MAX_BARS of them: of ranges neighbours share one, of
 * values the largest have one.
 *
 * Sizes and bounds are those of router.statistics. Lines are no wider than asked for,
 * in the columns of a terminal; what is not UTF-8 on both sides gets ASCII.
 *
 * Nouns: Part, a table with its size; Chart, all of them; Bin, what shares a column or bar.
 */
#include "compat.h"
#include "base/report.h"

#include <math.h>

#include "catalog/pg_type.h"
#include "executor/spi.h"
#include "mb/pg_wchar.h"
#include "utils/builtins.h"
#include "utils/datetime.h"
#include "utils/fmgrprotos.h"
#include "utils/lsyscache.h"
#include "utils/timestamp.h"

#include "base/pin.h"
#include "route/owned.h"

PG_FUNCTION_INFO_V1(router_chart);

#define MIN_WIDTH 30
#define MAX_WIDTH 1000
#define DEFAULT_WIDTH 80
#define HEIGHT 8				/* lines of a column */
#define MAX_BARS 40
#define MAX_COLUMN 6			/* characters of a column and the gap behind it */

/* of units, in days */
#define MONTH_LENGTH 31
#define QUARTER_LENGTH 92

/* What lines are made of. up, right: none to eight eighths. */
typedef struct Glyphs
{
	const char *up[9];
	const char *right[9];
	const char *hot;
	const char *side;
	const char *level;			/* at the side, where a size stands */
	const char *corner;
	const char *floor;
	const char *mark;			/* on the floor, above a date */
} Glyphs;

static const Glyphs in_utf8 = {
	{" ", "▁", "▂", "▃", "▄", "▅", "▆", "▇", "█"},
	{" ", "▏", "▎", "▍", "▌", "▋", "▊", "▉", "█"}, "▒", "│", "┤", "└", "─", "┴"};
static const Glyphs in_ascii = {
	{" ", " ", " ", " ", "#", "#", "#", "#", "#"},
	{" ", " ", " ", " ", "#", "#", "#", "#", "#"}, "o", "|", "+", "+", "-", "+"};

/* A child, or the hot base. */
typedef struct Part
{
	bool		hot;
	bool		known;			/* is its size? */
	double		size;
	bool		dated;			/* by its lower end */
	Timestamp	lower;
	bool		bounded;
	Timestamp	upper;
	char	   *label;
} Part;

/* What is drawn as one. */
typedef struct Bin
{
	double		cold;
	double		hot;
	char	   *label;
} Bin;

typedef struct Chart
{
	RouterReport report;
	const Glyphs *glyphs;
	Oid			base;
	bool		rows;			/* and not bytes */
	int			width;
	Part	   *items;			/* in the order of their keys */
	int			nitems;
	bool		by_value;		/* neighbours have nothing in common */
	Bin		   *bins;
	int			nbins;
	double		max;			/* of the bins */
	int			others;			/* that have no bin, since there are too many */
	double		others_size;
} Chart;

/* A part of the calendar, by its number: years of the span are several. */
typedef struct Unit
{
	const char *name;
	int64		length;			/* in days, the most it can have; 0: an hour */
	int			years;
} Unit;

static const Unit units[] = {
	{"hour", 0, 0},
	{"day", 1, 0},
	{"week", 7, 0},
	{"month", MONTH_LENGTH, 0},
	{"quarter", QUARTER_LENGTH, 0},
	{"year", 366, 1},
	{"10 years", 3660, 10},
	{"100 years", 36600, 100},
	{"1000 years", 366000, 1000},
	{"10000 years", 3660000, 10000},
};

/* -------------------------------------------------------------------------- text */

/* How many columns of a terminal a text takes. */
static int
text_width(const char *text)
{
	int			width = 0;

	for (; *text; text += pg_mblen(text))
		width += pg_encoding_dsplen(GetDatabaseEncoding(), text);
	return width;
}

/* A text in so many columns, to the left or to the right; what is too long is cut. */
static void
put_text(StringInfo line, const char *text, int width, bool right)
{
	int			used = 0;
	int			start = line->len;

	for (; *text; text += pg_mblen(text))
	{
		int			w = pg_encoding_dsplen(GetDatabaseEncoding(), text);

		if (used + w > width)
			break;
		appendBinaryStringInfo(line, text, pg_mblen(text));
		used += w;
	}
	if (right && used < width)
	{
		char	   *cut = pstrdup(line->data + start);

		line->len = start;
		line->data[start] = '\0';
		appendStringInfo(line, "%*s%s", width - used, "", cut);
	}
	else if (used < width)
		appendStringInfoSpaces(line, width - used);
}

/* Values of keys may have any characters: those that move the cursor are not for a terminal. */
static char *
printable(char *text)
{
	StringInfoData buf;

	initStringInfo(&buf);
	for (; *text; text += pg_mblen(text))
		if (pg_encoding_dsplen(GetDatabaseEncoding(), text) < 0)
			appendStringInfoChar(&buf, '?');
		else
			appendBinaryStringInfo(&buf, text, pg_mblen(text));
	return buf.data;
}

static char *
size_text(const Chart *chart, double size)
{
	static const char *const powers[] = {"", "k", "M", "G", "T", "P"};
	int			power = 0;

	if (!chart->rows)
		return text_to_cstring(DatumGetTextPP(DirectFunctionCall1(pg_size_pretty, Int64GetDatum((int64) size))));
	for (; size >= 9999.5 && power < lengthof(powers) - 1; power++)
		size /= 1000;
	return psprintf("%.*f%s", power > 0 && size < 99.95 ? 1 : 0, size, powers[power]);
}

static void
add_line(Chart *chart, StringInfo line)
{
	while (line->len > 0 && line->data[line->len - 1] == ' ')
		line->data[--line->len] = '\0';
	router_report_line(&chart->report, line->data);
	resetStringInfo(line);
}

/* A text of its own, cut to the width. */
static void
add_text(Chart *chart, const char *text)
{
	StringInfoData line;

	initStringInfo(&line);
	put_text(&line, text, chart->width, false);
	add_line(chart, &line);
}

/* ------------------------------------------------------------------------- sizes */

/* Ends of ranges without the offset of the zone: the calendar is that of the route. */
#define LOCAL_TIME(end) "CASE WHEN k.kind = 'date' THEN CASE WHEN s." end " LIKE '%%:%%'" \
	" THEN regexp_replace(s." end ", '(:[0-9.]+)[+-][0-9:]+', '\\1') ELSE s." end " END::timestamp END"

static void
read_items(Chart *chart)
{
	MemoryContext caller = CurrentMemoryContext;
	int			guc_level = router_spi_begin();
	char	   *query = psprintf("SELECT s.state = 'hot', s.%s::float8, " LOCAL_TIME("lower") ", " LOCAL_TIME("upper") ","
								 " coalesce((SELECT string_agg(CASE WHEN b LIKE '{%%' THEN array_to_string(b::text[], ', ', 'null')"
								 " WHEN b ~ '^[[(]' THEN btrim(regexp_replace(b, '^.(.*),(.*).$', '\\1 to \\2')) ELSE b END, ' / ' ORDER BY n)"
								 " FROM unnest(d.bounds) WITH ORDINALITY u(b, n)), 'hot base'), k.kind IS NULL"
								 " FROM router.statistics(%u) WITH ORDINALITY s LEFT JOIN router.child_def d ON d.child = s.child"
								 " LEFT JOIN LATERAL (SELECT kind FROM router.key_def WHERE base = %u AND kind IN ('date', 'integer')"
								 " ORDER BY level LIMIT 1) k ON true ORDER BY s.ordinality",
								 chart->rows ? "rows" : "bytes", chart->base, chart->base);

	if (SPI_execute(query, true, 0) != SPI_OK_SELECT)
		elog(ERROR, "could not run: %s", query);
	chart->nitems = (int) SPI_processed;
	chart->items = MemoryContextAllocZero(caller, Max(chart->nitems, 1) * sizeof(Part));
	for (int i = 0; i < chart->nitems; i++)
	{
		HeapTuple	tup = SPI_tuptable->vals[i];
		TupleDesc	desc = SPI_tuptable->tupdesc;
		Part	   *item = &chart->items[i];
		bool		isnull;

		item->hot = DatumGetBool(SPI_getbinval(tup, desc, 1, &isnull));
		item->size = DatumGetFloat8(SPI_getbinval(tup, desc, 2, &isnull));
		item->known = !isnull;
		if (isnull)
			item->size = 0;
		item->lower = DatumGetTimestamp(SPI_getbinval(tup, desc, 3, &isnull));
		item->dated = !isnull;
		item->upper = DatumGetTimestamp(SPI_getbinval(tup, desc, 4, &isnull));
		item->bounded = !isnull;
		item->label = MemoryContextStrdup(caller, printable(SPI_getvalue(tup, desc, 5)));
		chart->by_value = DatumGetBool(SPI_getbinval(tup, desc, 6, &isnull));
	}
	router_spi_end(guc_level);
}

static void
add_to_bin(Bin *bin, const Part *item)
{
	if (item->hot)
		bin->hot += item->size;
	else
		bin->cold += item->size;
}

static void
find_max(Chart *chart)
{
	chart->max = 0;
	for (int i = 0; i < chart->nbins; i++)
		chart->max = Max(chart->max, chart->bins[i].cold + chart->bins[i].hot);
}

/* ----------------------------------------------------------------------- columns */

/* The number of the part of the calendar that a time lies in. */
static int64
unit_of(const Unit *unit, Timestamp at)
{
	struct pg_tm tm;
	fsec_t		fsec;
	int64		days;

	if (timestamp2tm(at, NULL, &tm, &fsec, NULL, NULL) != 0)
		elog(ERROR, "timestamp out of range");
	days = date2j(tm.tm_year, tm.tm_mon, tm.tm_mday);
	if (unit->years > 0)
		return (int64) floor((double) tm.tm_year / unit->years);
	switch (unit->length)
	{
		case 0:
			return days * HOURS_PER_DAY + tm.tm_hour;
		case MONTH_LENGTH:
			return (int64) tm.tm_year * MONTHS_PER_YEAR + tm.tm_mon - 1;
		case QUARTER_LENGTH:
			return (int64) tm.tm_year * 4 + (tm.tm_mon - 1) / 3;
		default:
			return days / unit->length; /* Julian day 0 is a Monday */
	}
}

/* What stands below its column. */
static char *
unit_label(const Unit *unit, int64 number)
{
	int			year;
	int			month;
	int			day;
	int64		days = unit->length == 0 ? number / HOURS_PER_DAY : number * unit->length;
	const char *era;

	if (unit->years > 0)
		year = (int) (number * unit->years);
	else if (unit->length == MONTH_LENGTH)
		year = (int) floor(number / (double) MONTHS_PER_YEAR);
	else if (unit->length == QUARTER_LENGTH)
		year = (int) floor(number / 4.0);
	else
		j2date((int) days, &year, &month, &day);
	era = year > 0 ? "" : " BC";
	if (unit->years > 0)
		return psprintf("%04d%s", year > 0 ? year : 1 - year, era);
	if (unit->length == MONTH_LENGTH)
		return psprintf("%04d-%02d%s", year > 0 ? year : 1 - year, (int) (number - (int64) year * MONTHS_PER_YEAR) + 1, era);
	if (unit->length == QUARTER_LENGTH)
		return psprintf("%04d-Q%d%s", year > 0 ? year : 1 - year, (int) (number - (int64) year * 4) + 1, era);
	if (unit->length == 0)
		return psprintf("%02d-%02d %02d:00", month, day, (int) (number % HOURS_PER_DAY));
	return psprintf("%04d-%02d-%02d%s", year > 0 ? year : 1 - year, month, day, era);
}

static int
compare_spans(const void *a, const void *b)
{
	int64		x = *(const int64 *) a;
	int64		y = *(const int64 *) b;

	return (x > y) - (x < y);
}

/* How long a child is that half of the others are shorter than. */
static int64
usual_span(const Chart *chart)
{
	int64	   *spans = palloc(Max(chart->nitems, 1) * sizeof(int64));
	int			n = 0;

	for (int i = 0; i < chart->nitems; i++)
		if (chart->items[i].dated && chart->items[i].bounded)
			spans[n++] = chart->items[i].upper - chart->items[i].lower;
	qsort(spans, n, sizeof(int64), compare_spans);
	return n > 0 ? spans[n / 2] : 0;
}

/* Puts the tables that have a date into bins, no more than fit. Returns what a bin is; NULL: there is none. */
static const Unit *
fill_columns(Chart *chart, int room)
{
	Timestamp	first = PG_INT64_MAX;
	Timestamp	last = PG_INT64_MIN;
	int64		span = usual_span(chart);
	int			u = 0;

	for (int i = 0; i < chart->nitems; i++)
		if (chart->items[i].dated)
		{
			first = Min(first, chart->items[i].lower);
			last = Max(last, chart->items[i].lower);
		}
	if (first > last)
		return NULL;
	while (u < lengthof(units) - 1 &&
		   (unit_of(&units[u], last) - unit_of(&units[u], first) >= room ||
			(u == 0 ? USECS_PER_HOUR : units[u].length * USECS_PER_DAY) < span))
		u++;
	chart->nbins = (int) (unit_of(&units[u], last) - unit_of(&units[u], first)) + 1;
	chart->bins = palloc0(chart->nbins * sizeof(Bin));
	for (int i = 0; i < chart->nbins; i++)
		chart->bins[i].label = unit_label(&units[u], unit_of(&units[u], first) + i);
	for (int i = 0; i < chart->nitems; i++)
		if (chart->items[i].dated)
			add_to_bin(&chart->bins[unit_of(&units[u], chart->items[i].lower) - unit_of(&units[u], first)],
					   &chart->items[i]);
	find_max(chart);
	return &units[u];
}

/* What a column has in a line; line 0 is the lowest. What is there is seen, what is hot at the top. */
static const char *
cell(const Chart *chart, const Bin *bin, int line)
{
	double		scale = chart->max > 0 ? HEIGHT * 8 / chart->max : 0;
	int			top = Max((int) rint((bin->cold + bin->hot) * scale) - 1, 0) / 8;
	int			cold = (int) rint(bin->cold * scale) - line * 8;

	if (bin->hot > 0 && (line == top || (line < top && cold < 4)))
		return chart->glyphs->hot;
	if (bin->cold > 0 && line == 0)
		cold = Max(cold, chart->glyphs == &in_ascii ? 4 : 1);
	return chart->glyphs->up[Min(Max(cold, 0), 8)];
}

/* Dates below the columns, as many as there is room for, and marks where they are. */
static void
add_floor(Chart *chart, int margin, int column)
{
	StringInfoData marks;
	StringInfoData dates;
	int			used = 0;
	int			stride = (text_width(chart->bins[0].label) + 2 + column - 1) / column;

	initStringInfo(&marks);
	initStringInfo(&dates);
	appendStringInfo(&marks, "%*s %s", margin, "0", chart->glyphs->corner);
	appendStringInfoSpaces(&dates, margin + 2);
	for (int i = 0; i < chart->nbins; i++)
	{
		const char *label = chart->bins[i].label;
		bool		told = i % stride == 0 && (i * column + text_width(label) <= chart->width - margin - 2);

		for (int j = 0; j < column; j++)
			appendStringInfoString(&marks, told && j == 0 ? chart->glyphs->mark : chart->glyphs->floor);
		if (!told)
			continue;
		appendStringInfoSpaces(&dates, i * column - used);
		appendStringInfoString(&dates, label);
		used = i * column + text_width(label);
	}
	add_line(chart, &marks);
	add_line(chart, &dates);
}

static void
draw_columns(Chart *chart, int margin)
{
	int			column = Max(1, Min(MAX_COLUMN, (chart->width - margin - 2) / chart->nbins));
	StringInfoData line;

	initStringInfo(&line);
	for (int i = HEIGHT - 1; i >= 0; i--)
	{
		bool		told = i == HEIGHT - 1 || i == HEIGHT / 2 - 1;

		put_text(&line, told ? size_text(chart, chart->max * (i + 1) / HEIGHT) : "", margin, true);
		appendStringInfo(&line, " %s", told ? chart->glyphs->level : chart->glyphs->side);
		for (int j = 0; j < chart->nbins; j++)
			for (int k = 0; k < column; k++)
				appendStringInfoString(&line, k > 0 && k == column - 1 ? " " : cell(chart, &chart->bins[j], i));
		add_line(chart, &line);
	}
	add_floor(chart, margin, column);
}

/* -------------------------------------------------------------------------- bars */

static int
compare_sizes(const void *a, const void *b)
{
	double		x = (*(Part *const *) a)->size;
	double		y = (*(Part *const *) b)->size;

	return (x < y) - (x > y);
}

/* The size that a child must be larger than to have a bar of its own, and how many of that size itself have one. */
static double
least_shown(const Chart *chart, int *equal)
{
	Part	  **sorted = palloc(chart->nitems * sizeof(Part *));
	double		least;

	for (int i = 0; i < chart->nitems; i++)
		sorted[i] = &chart->items[i];
	qsort(sorted, chart->nitems, sizeof(Part *), compare_sizes);
	least = sorted[MAX_BARS - 1]->size;
	*equal = 0;
	for (int i = 0; i < MAX_BARS; i++)
		*equal += sorted[i]->size == least;
	return least;
}

/* A bar for each of the largest, in their order. */
static void
fill_largest(Chart *chart)
{
	int			equal;
	double		least = least_shown(chart, &equal);

	for (int i = 0; i < chart->nitems; i++)
	{
		Part	   *item = &chart->items[i];

		if (item->size > least || (item->size == least && equal-- > 0))
		{
			chart->bins[chart->nbins].label = item->label;
			add_to_bin(&chart->bins[chart->nbins++], item);
		}
		else
		{
			chart->others++;
			chart->others_size += item->size;
		}
	}
}

/* What neighbours are called: ranges of one key are one range. */
static char *
joined_label(const char *first, const char *last)
{
	const char *end = strstr(first, " to ");
	const char *until = strstr(last, " to ");

	if (end == NULL || until == NULL || strstr(first, " / "))
		return psprintf("%s .. %s", first, last);
	return psprintf("%.*s%s", (int) (end - first), first, until);
}

/* A bar for so many neighbours each. */
static void
fill_neighbours(Chart *chart)
{
	int			each = (chart->nitems + MAX_BARS - 1) / MAX_BARS;

	chart->nbins = (chart->nitems + each - 1) / each;
	for (int i = 0; i < chart->nitems; i++)
	{
		Bin		   *bin = &chart->bins[i / each];

		if (i % each == 0)
			bin->label = chart->items[i].label;
		else if (i % each == each - 1 || i == chart->nitems - 1)
			bin->label = joined_label(bin->label, chart->items[i].label);
		add_to_bin(bin, &chart->items[i]);
	}
}

static void
fill_bars(Chart *chart)
{
	chart->bins = palloc0(MAX_BARS * sizeof(Bin));
	if (chart->by_value && chart->nitems > MAX_BARS)
		fill_largest(chart);
	else
		fill_neighbours(chart);
	find_max(chart);
}

static void
draw_bars(Chart *chart, int margin)
{
	int			labels = 0;
	int			room;
	StringInfoData line;

	for (int i = 0; i < chart->nbins; i++)
		labels = Max(labels, text_width(chart->bins[i].label));
	labels = Min(labels, chart->width / 3);
	room = chart->width - labels - 2 - margin - 1;
	initStringInfo(&line);
	for (int i = 0; i < chart->nbins; i++)
	{
		Bin		   *bin = &chart->bins[i];
		int			cold = chart->max > 0 ? (int) rint(bin->cold * room * 8 / chart->max) : 0;
		int			hot = chart->max > 0 ? (int) rint(bin->hot * room / chart->max) : 0;
		int			least = chart->glyphs == &in_ascii ? 4 : 1;

		put_text(&line, bin->label, labels, true);
		appendStringInfo(&line, " %s", chart->glyphs->side);
		if (bin->cold > 0)
			cold = Max(cold, least);
		if (bin->hot > 0)
			hot = Max(hot, 1);
		for (int j = 0; j < room; j++)
			appendStringInfoString(&line, j * 8 < cold ? chart->glyphs->right[Min(cold - j * 8, 8)] :
								   j < (cold + 7) / 8 + hot ? chart->glyphs->hot : " ");
		appendStringInfoChar(&line, ' ');
		put_text(&line, size_text(chart, bin->cold + bin->hot), margin, true);
		add_line(chart, &line);
	}
}

/* ------------------------------------------------------------------ the function */

/* What the glyphs mean, with totals, and what is not drawn. columns: it is what has no date. */
static void
add_legend(Chart *chart, bool columns)
{
	double		cold = 0;
	double		hot = 0;
	int			children = 0;
	int			unknown = 0;
	bool		has_hot = false;

	for (int i = 0; i < chart->nitems; i++)
	{
		const Part *item = &chart->items[i];

		children += !item->hot;
		has_hot |= item->hot;
		unknown += !item->known;
		if (item->hot)
			hot += item->size;
		else
			cold += item->size;
	}
	add_text(chart, psprintf("%s %s: %s", chart->glyphs->up[8], children == 1 ? "1 child" : psprintf("%d children", children),
							 size_text(chart, cold)));
	if (has_hot)
		add_text(chart, psprintf("%s hot base: %s", chart->glyphs->hot, size_text(chart, hot)));
	for (int i = 0; columns && i < chart->nitems; i++)
		if (!chart->items[i].dated)
			add_text(chart, psprintf("not drawn: %s, %s", chart->items[i].label, size_text(chart, chart->items[i].size)));
	if (chart->others > 0)
		add_text(chart, psprintf("not drawn: %d others, %s", chart->others, size_text(chart, chart->others_size)));
	if (unknown > 0)
		add_text(chart, psprintf("%d never analyzed, drawn as empty", unknown));
}

static void
draw(Chart *chart)
{
	/* the widest size there can be */
	int			margin = chart->rows ? 6 : 10;
	const Unit *unit = fill_columns(chart, chart->width - margin - 2);
	const char *name = printable(get_rel_name(chart->base));
	const char *of = chart->rows ? "rows" : "bytes";

	add_text(chart, unit ? psprintf("%s: %s by %s", name, of, unit->name) : psprintf("%s: %s of children", name, of));
	if (unit)
		draw_columns(chart, margin);
	else if (chart->nitems > 0)
	{
		fill_bars(chart);
		draw_bars(chart, margin);
	}
	add_legend(chart, unit != NULL);
}

/* router.chart(base, of, width) */
Datum
router_chart(PG_FUNCTION_ARGS)
{
	Chart		chart = {0};
	const char *of;

	router_report_begin(&chart.report, fcinfo, 1, -1);
	chart.base = PG_GETARG_OID(0);
	router_check_routed(chart.base);
	of = router_arg_text(fcinfo, 1);
	chart.width = PG_ARGISNULL(2) ? DEFAULT_WIDTH : PG_GETARG_INT32(2);
	chart.rows = of && strcmp(of, "rows") == 0;
	if (of && !chart.rows && strcmp(of, "bytes") != 0)
		router_bad_value("of", of, "Allowed are 'bytes' and 'rows'.");
	if (chart.width < MIN_WIDTH || chart.width > MAX_WIDTH)
		router_bad_value("width", psprintf("%d", chart.width), "Give a number of characters from 30 to 1000.");
	chart.glyphs = GetDatabaseEncoding() == PG_UTF8 && pg_get_client_encoding() == PG_UTF8 ? &in_utf8 : &in_ascii;
	read_items(&chart);
	draw(&chart);
	return (Datum) 0;
}
