load here . "/time.gp"
set ylabel "rows a run" tc rgb "#000002"
set format y "%.0s%c"
set ytics steps(D_max)
plot data using 1:2 with impulses lw 3 lc rgb "#000011", "" using 1:2 with points pt 7 ps 0.5 lc rgb "#000011"
