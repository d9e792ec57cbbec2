import sys
from PIL import Image
p,x,y,w,h,o=sys.argv[1:7]
im=Image.open(p); im.crop((int(x),int(y),int(x)+int(w),min(im.height,int(y)+int(h)))).save(o); print(im.size)
