set xrange [0:100]
set yrange [0:100]
set xlabel "children, the smallest first (%)" tc rgb "#000002"
set ytics 25
set xtics 25
set ylabel "share of all (%)" tc rgb "#000002"
plot data using 1:2 with filledcurves y1=0 lc rgb "#000013", x with lines dt 2 lw 1.5 lc rgb "#000002", data using 1:2 with lines lw 2 lc rgb "#000011"
