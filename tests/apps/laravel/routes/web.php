<?php

use App\Http\Controllers\LoginController;
use App\Http\Controllers\RecipeController;
use Illuminate\Support\Facades\Route;

Route::get('/', [RecipeController::class, 'index']);
Route::get('/login', [LoginController::class, 'form'])->name('login');
Route::post('/login', [LoginController::class, 'login'])->middleware('throttle:5,1');
Route::post('/logout', [LoginController::class, 'logout']);
Route::get('/recipes.csv', [RecipeController::class, 'table']);
Route::middleware('auth')->group(function () {
    Route::get('/recipes/new', [RecipeController::class, 'create']);
    Route::post('/recipes', [RecipeController::class, 'store']);
    Route::post('/recipes/{recipe}/cook', [RecipeController::class, 'cook']);
});
Route::get('/recipes/{recipe}', [RecipeController::class, 'show'])->name('recipe');
Route::get('/recipes/{recipe}/picture', [RecipeController::class, 'picture']);
