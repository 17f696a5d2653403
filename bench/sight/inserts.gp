load here . "/time.gp"
set ylabel "rows a day" tc rgb "#000002"
set format y "%.0s%c"
set ytics steps(D_max)
set boxwidth 0.7 * 86400 absolute
plot data using 1:2 with boxes lc rgb "#000011"
