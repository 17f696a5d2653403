load here . "/time.gp"
u = unit(D_max)
set ytics steps(D_max / u)
set ylabel "size (" . unit_name(D_max) . ")" tc rgb "#000002"
plot data using 1:($2 / u) with filledcurves y1=0 lc rgb "#000013", "" using 1:($2 / u) with lines lw 2 lc rgb "#000011", "" using 1:($2 / u) with points pt 7 ps 0.3 lc rgb "#000011"
