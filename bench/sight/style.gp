# What all plots have: the size of the page that they are for, and colors, numbers that stand for those of style.css.
set terminal svg size (narrow ? 340 : 760),(narrow ? 230 : 280) dynamic noenhanced font "sans-serif,13" name name
set datafile separator tab
unset key
set border 1 lc rgb "#000003" lw 1
set tics scale 0.4 tc rgb "#000002"
set xtics nomirror
set ytics nomirror scale 0
set grid ytics lt 1 lc rgb "#000003" lw 1
set style fill solid 1 noborder
set lmargin (narrow ? 7.5 : 8)
set rmargin 2
set tmargin 1
# a step of an axis: 1, 2 or 5 times a power of ten, a quarter of the range at most
nice(x) = nice_of(x, 10 ** floor(log10(x)))
nice_of(x, p) = (x <= p ? 1 : x <= 2 * p ? 2 : x <= 5 * p ? 5 : 10) * p
steps(top) = nice((top > 0 ? top : 1) / 4.0)
# bytes in the largest unit that they have one of
power(bytes) = bytes < 1024 ? 0 : floor(log(bytes) / log(1024))
unit(bytes) = 1024.0 ** power(bytes)
unit_name(bytes) = word("bytes kB MB GB TB PB", power(bytes) + 1)
