-- ends: units
return function() ::again:: goto again end
